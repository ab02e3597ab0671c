import { join } from 'node:path';
import { UnikError } from '../../core/errors.js';
import type { Arch } from '../../executor/model.js';
import { readArch } from '../../stager/arch.js';

/** What the environment says to a step of the buildpack. Nothing else reads it. */
export interface Settings {
  stack: string | undefined;
  guest: string | undefined;
  /** The processor of the machines; absent: this one's. */
  arch: Arch | undefined;
  kernels: string | undefined;
  keepApp: boolean;
  /** The unpacked buildpack. */
  home: string;
  /** The carried Node.js and image tools; they need not be there. */
  runtime: string;
  /** Stands for `/` where this root lacks libraries that the carried Node.js needs. */
  libraryRoot: string | undefined;
  env: NodeJS.ProcessEnv;
}

/** Throws stack_unsuitable for a stack whose cells run no unikernels. */
export function readSettings(env: NodeJS.ProcessEnv): Settings {
  const text = (name: string): string | undefined => (env[name] === '' ? undefined : env[name]);
  const home = text('UNIK_BUILDPACK_DIR') ?? '.';
  const stack = text('CF_STACK');
  if (stack !== undefined && !/^unik(-.+)?$/.test(stack)) {
    throw new UnikError('stack_unsuitable', `the stack ${stack} runs containers, and this buildpack makes unikernels`);
  }
  return {
    stack,
    guest: text('UNIK_GUEST'),
    arch: archOf(text('UNIK_ARCH'), stack),
    kernels: text('UNIK_KERNELS'),
    keepApp: text('UNIK_KEEP_APP') !== undefined,
    home,
    runtime: join(home, 'runtime'),
    libraryRoot: text('UNIK_LIBRARY_ROOT'),
    env,
  };
}

/** Boards have another processor than the machines that stage for them. Throws bad_request for a word that is none. */
function archOf(wish: string | undefined, stack: string | undefined): Arch | undefined {
  if (wish !== undefined) return readArch(wish);
  return stack !== undefined && /^unik-arm(-|$)/.test(stack) ? 'aarch64' : undefined;
}
