import { which } from '../core/which.js';
import { BASE_ENV } from '../executor/images/base.js';
import type { ImageFinding } from '../executor/images/image.js';
import type { Application } from './application.js';
import type { BuildOptions } from './build.js';
import { readProfile } from './profile.js';
import type { ResolvedProcess } from './resolve.js';
import { DEPS_DIR, suppliedEnv } from './supplied.js';

interface ImageEnv {
  env: Record<string, string>;
  findings: readonly ImageFinding[];
}

/** The image's defaults: base, toolchain, what was supplied, what profile scripts set, what commands set. */
export async function makeEnv(
  { dir: appDir, built }: Pick<Application, 'dir' | 'built'>,
  processes: readonly Pick<ResolvedProcess, 'env'>[],
  options: BuildOptions,
): Promise<ImageEnv> {
  const { supplied, signal } = options;
  const env: Record<string, string> = { ...BASE_ENV, ...built.env };
  if (supplied) {
    const { path, libraryPath } = suppliedEnv(supplied);
    env['PATH'] = [...path, env['PATH'] ?? ''].join(':');
    if (libraryPath.length > 0) env['LD_LIBRARY_PATH'] = libraryPath.join(':');
    env['DEPS_DIR'] = DEPS_DIR;
  }
  const depsDir = supplied === undefined ? {} : { depsDir: supplied.dir };
  const bash = which('bash', options.env['PATH'] ?? '');
  const profile = options.cloudFoundry ? await readProfile({ appDir, ...depsDir, env, bash, signal }) : undefined;
  const all = [env, profile?.env ?? {}, ...processes.map((one) => one.env)];
  return { env: Object.assign({}, ...all) as Record<string, string>, findings: profile?.findings ?? [] };
}
