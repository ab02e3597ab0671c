import { execa } from 'execa';
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { unpack } from '../../stager/actions/unpack.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** What a step of a buildpack, or a program of the lifecycle, ended with. */
export interface Ended {
  code: number;
  /** Standard output and error, as they came. */
  output: string;
  stdout: string;
}

/** Makes the zip as it ships; gives its path. */
export async function packageBuildpack(
  into: string,
  name = 'unik_buildpack.zip',
  options: string[] = [],
): Promise<string> {
  const out = join(into, name);
  await execa(process.execPath, [join(root, 'scripts/package-buildpack.mjs'), ...options, '--out', out]);
  return out;
}

/** The buildpack, packaged and unpacked again. */
export async function buildpackIn(into: string, options: string[] = []): Promise<string> {
  const dir = join(into, 'buildpack');
  mkdirSync(dir, { recursive: true });
  await unpackAny(await packageBuildpack(into, 'unik_buildpack.zip', options), dir);
  return dir;
}

/** Unpacks what a test trusts. */
export async function unpackAny(archive: string, into: string): Promise<void> {
  await unpack(archive, into, { max_bytes: 1e9, max_entries: 1e5 }, AbortSignal.timeout(120_000));
}

/** The lifecycle, packaged and unpacked again. */
export async function lifecycleIn(into: string): Promise<string> {
  const out = join(into, 'unik_app_lifecycle.tgz');
  await execa(process.execPath, [join(root, 'scripts/package-lifecycle.mjs'), '--out', out]);
  const dir = join(into, 'lifecycle');
  mkdirSync(dir, { recursive: true });
  await unpackAny(out, dir);
  return dir;
}

/** The folders that a buildpack works on, with an application in them. */
export function stagingFolders(into: string, app: string): { build: string; cache: string; deps: string } {
  const folders = { build: join(into, 'app'), cache: join(into, 'cache'), deps: join(into, 'deps') };
  for (const folder of Object.values(folders)) mkdirSync(folder, { recursive: true });
  cpSync(app, folders.build, { recursive: true });
  return folders;
}

/** Runs a program with just this environment beside PATH; never throws for its exit status. */
export async function runProgram(file: string, args: string[], env: Record<string, string> = {}): Promise<Ended> {
  const done = await execa(file, args, {
    all: true,
    reject: false,
    stdin: 'ignore',
    timeout: 240_000,
    extendEnv: false,
    stripFinalNewline: false,
    env: { PATH: process.env['PATH'] ?? '', ...env },
  });
  return { code: done.exitCode ?? -1, output: done.all, stdout: done.stdout };
}
