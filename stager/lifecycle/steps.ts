import { execa } from 'execa';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Buildpack } from './buildpacks.js';
import { EXIT, StepFailed } from './exit.js';

export interface StepFolders {
  build: string;
  cache: string;
  deps: string;
  profile: string;
}

export interface StepContext {
  folders: StepFolders;
  env: NodeJS.ProcessEnv;
  say: (line: string) => void;
  signal?: AbortSignal | undefined;
}

/** The first buildpack whose `bin/detect` says yes, and what it says. Throws StepFailed 222. */
export async function detect(
  buildpacks: readonly Buildpack[],
  { folders, env, say, signal }: StepContext,
): Promise<{ buildpack: Buildpack; name: string }> {
  for (const buildpack of buildpacks) {
    const result = await call(join(buildpack.dir, 'bin/detect'), [folders.build], { out: 'pipe', env, signal });
    if (result.exitCode === 0) return { buildpack, name: result.stdout?.trim() || buildpack.key };
  }
  const tried = buildpacks.map(({ key }) => key).join(', ');
  say(`Tried: ${tried}; the stack is ${env['CF_STACK'] ?? 'not named'}`);
  throw new StepFailed('None of the buildpacks detected a compatible application', EXIT.detect);
}

/** Lets every buildpack but the last supply what the last one builds on. Throws StepFailed 225. */
export async function supplyAll(buildpacks: readonly Buildpack[], context: StepContext): Promise<void> {
  for (const [index, buildpack] of buildpacks.entries()) {
    if (!has(buildpack, 'supply')) {
      throw new StepFailed(
        `The buildpack ${buildpack.key} cannot be one of several: it has no bin/supply`,
        EXIT.supply,
      );
    }
    await supply(buildpack, index, createHash('md5').update(buildpack.key).digest('hex'), context);
  }
}

/** Builds with the last buildpack: supply and finalize, or compile for one of the oldest kind. */
export async function finalize(buildpack: Buildpack, index: number, context: StepContext): Promise<void> {
  const { folders } = context;
  const cache = join(folders.cache, 'final');
  if (!has(buildpack, 'finalize')) {
    await runStep(buildpack, 'compile', [folders.build, cache], EXIT.compile, 'Failed to compile droplet', context);
    return;
  }
  if (has(buildpack, 'supply')) await supply(buildpack, index, 'final', context);
  await mkdir(cache, { recursive: true });
  await mkdir(join(folders.deps, String(index)), { recursive: true });
  const args = [folders.build, cache, folders.deps, String(index), folders.profile];
  await runStep(buildpack, 'finalize', args, EXIT.finalize, 'Failed to run finalize script', context);
}

/** What `bin/release` prints; empty when there is none. Throws StepFailed 224. */
export async function release(buildpack: Buildpack, { folders, env, signal }: StepContext): Promise<string> {
  if (!has(buildpack, 'release')) return '';
  const result = await call(join(buildpack.dir, 'bin/release'), [folders.build], { out: 'pipe', env, signal });
  if (result.exitCode !== 0) throw new StepFailed(`Failed to build droplet release: ${endOf(result)}`, EXIT.release);
  return result.stdout ?? '';
}

async function supply(buildpack: Buildpack, index: number, cacheName: string, context: StepContext): Promise<void> {
  const { build, cache, deps } = context.folders;
  await mkdir(join(cache, cacheName), { recursive: true });
  await mkdir(join(deps, String(index)), { recursive: true });
  const args = [build, join(cache, cacheName), deps, String(index)];
  await runStep(buildpack, 'supply', args, EXIT.supply, 'Failed to run all supply scripts', context);
}

async function runStep(
  buildpack: Buildpack,
  name: string,
  args: readonly string[],
  status: number,
  failed: string,
  { env, signal }: StepContext,
): Promise<void> {
  const result = await call(join(buildpack.dir, 'bin', name), args, { out: 'inherit', env, signal });
  if (result.exitCode !== 0) throw new StepFailed(`${failed}: ${endOf(result)}`, status);
}

interface Ended {
  exitCode?: number | undefined;
  signal?: string | undefined;
  message?: string | undefined;
  /** Where it did not go to ours. */
  stdout?: string | undefined;
}

/** One of the buildpack's programs, to its end, however it ends. */
async function call(
  program: string,
  args: readonly string[],
  { out, env, signal }: Pick<StepContext, 'env' | 'signal'> & { out: 'pipe' | 'inherit' },
): Promise<Ended> {
  const result = await execa(program, args, {
    reject: false,
    stdio: ['ignore', out, 'inherit'],
    env,
    extendEnv: false,
    ...(signal ? { cancelSignal: signal } : {}),
  });
  signal?.throwIfAborted();
  return result;
}

function endOf(result: Ended): string {
  if (result.exitCode !== undefined) return `exit status ${result.exitCode}`;
  return result.signal === undefined ? (result.message ?? 'it did not start') : `signal: ${result.signal}`;
}

function has({ dir }: Buildpack, step: string): boolean {
  return existsSync(join(dir, 'bin', step));
}
