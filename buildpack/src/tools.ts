import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { unpack } from '../../stager/actions/unpack.js';
import { suppliedFolders, type Supplied } from '../../stager/supplied.js';
import type { Settings } from './settings.js';

const NPM_LIMITS = { max_bytes: 200_000_000, max_entries: 50_000 };

/** Environment of compilers and package managers: what was supplied first, then this root's, then what we carry. */
export function toolEnv(settings: Settings, supplied: Supplied | undefined, cache: string): NodeJS.ProcessEnv {
  const { env, runtime } = settings;
  const bins = supplied ? suppliedFolders(supplied, 'bin') : [];
  const libraries = supplied ? suppliedFolders(supplied, 'lib') : [];
  const list = (...parts: (string | undefined)[]): string => parts.filter((part) => part).join(delimiter);
  return {
    ...env,
    ...(supplied ? stagingVariables(supplied) : {}),
    PATH: list(...bins, join(runtime, 'bin'), env['PATH']),
    ...(libraries.length > 0 ? { LD_LIBRARY_PATH: list(...libraries, env['LD_LIBRARY_PATH']) } : {}),
    npm_config_cache: join(cache, 'npm'),
    PIP_CACHE_DIR: join(cache, 'pip'),
    GOCACHE: join(cache, 'go-build'),
    GOPATH: join(cache, 'go'),
  };
}

/** `DEPS/IDX/env/NAME` holds a variable's value for the buildpacks after it. */
function stagingVariables({ dir, indices }: Supplied): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const folder of indices.map((index) => join(dir, index, 'env')).filter((path) => existsSync(path))) {
    for (const name of readdirSync(folder)) variables[name] = readFileSync(join(folder, name), 'utf8');
  }
  return variables;
}

/**
 * Puts the carried npm where it can run, once per cache: in the package it is one file, as buildpacks may lie in a
 * place that cannot be written. Gives the folder with the program `npm`; undefined when none is carried.
 */
export async function carriedNpm(
  { runtime, libraryRoot }: Settings,
  cache: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const archive = join(runtime, 'npm.tgz');
  if (!existsSync(archive)) return undefined;
  const version = readFileSync(join(runtime, 'npm-version'), 'utf8').trim();
  const home = join(cache, `npm-${version}`);
  if (!existsSync(home)) {
    const half = `${home}.${process.pid}`;
    try {
      await mkdir(half, { recursive: true });
      await unpack(archive, half, NPM_LIMITS, signal);
      await rename(half, home);
    } finally {
      await rm(half, { recursive: true, force: true });
    }
  }
  const bin = join(cache, 'bin');
  await mkdir(bin, { recursive: true });
  const node = libraryRoot === undefined ? [join(runtime, 'bin/node')] : loaderLine(runtime);
  await writeFile(
    join(bin, 'npm'),
    `#!/bin/sh\nexec ${[...node, join(home, 'package/bin/npm-cli.js')].map(quote).join(' ')} "$@"\n`,
  );
  await chmod(join(bin, 'npm'), 0o755);
  return bin;
}

/** The carried loader, told where the carried libraries are. */
function loaderLine(runtime: string): string[] {
  const text = (name: string): string => readFileSync(join(runtime, name), 'utf8').trim();
  const root = join(runtime, 'root');
  return [join(root, text('loader')), '--library-path', join(root, text('libraries')), join(runtime, 'bin/node')];
}

function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
