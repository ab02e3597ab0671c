import { statSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { UnikError } from '../core/errors.js';
import type { Arch } from '../executor/model.js';
import { hostArch } from './arch.js';
import type { Toolchain } from './toolchains/toolchain.js';

/** Who names the folder with the root of another processor, and what Debian calls that processor. */
const ROOTS: Partial<Record<Arch, { variable: string; debian: string }>> = {
  aarch64: { variable: 'UNIK_ARM64_ROOT', debian: 'arm64' },
};
const BIN = ['/usr/local/bin', '/usr/bin', '/bin'];

/**
 * Where the runtime of an application is taken from: the absolute path of a folder that stands for `/`; empty for this
 * host. Throws runtime_missing when there is none for the processor, saying what would bring it.
 */
export function runtimeRoot(
  { runtime, foreign }: Pick<Toolchain, 'runtime' | 'foreign'>,
  arch: Arch,
  env: NodeJS.ProcessEnv,
): string {
  if (runtime === undefined || arch === hostArch()) return '';
  const wanted = `the application needs ${runtime} for ${arch}`;
  const where = ROOTS[arch];
  if (where === undefined || foreign === undefined)
    throw missing(`${wanted}, and where it is built there is one for ${hostArch()} alone`);
  const { variable, debian } = where;
  const packages = foreign.map((name) => `${name}:${debian}`).join(' ');
  const bring = `unpack ${packages} and what they depend on (apt-get download, dpkg -x) into a folder, and name it in ${variable}`;
  const named = env[variable] ?? '';
  if (named === '')
    throw missing(`${wanted}, and where it is built there is one for ${hostArch()} alone: the operator can ${bring}`);
  const root = resolve(named);
  if (!isAbsolute(named) || root === '/' || statSync(root, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw missing(`${wanted}, but ${variable}=${named} is no folder with its files: ${bring}`);
  return root;
}

/** The path in the image of a program that lies in `root`. Throws runtime_missing. */
export function programIn(root: string, name: string): string {
  const path = BIN.map((dir) => join(dir, name)).find(
    (path) => statSync(join(root, path), { throwIfNoEntry: false })?.isFile() === true,
  );
  if (path !== undefined) return path;
  throw missing(`${root} has no ${name} in ${BIN.join(', ')}`);
}

function missing(what: string): UnikError {
  return new UnikError('runtime_missing', what);
}
