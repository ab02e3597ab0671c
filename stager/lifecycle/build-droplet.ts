import { createWriteStream, existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { packTar } from '../pack-tar.js';
import { parseProcfile } from '../procfile.js';
import { indicesIn } from '../profile.js';
import { findBuildpacks, withoutSecrets, type Buildpack, type BuildpackPlaces } from './buildpacks.js';
import { readConfig, readLaunch, readRelease } from './documents.js';
import { stagingResult, type StagingResult, type UsedBuildpack } from './result.js';
import { detect, finalize, release, supplyAll, type StepContext } from './steps.js';

export interface BuilderOptions extends BuildpackPlaces {
  order: string;
  skipDetect: boolean;
  buildDir: string;
  outputDroplet: string;
  outputMetadata: string;
  outputCache: string;
  cacheDir: string;
  env: NodeJS.ProcessEnv;
  say: (line: string) => void;
}

/**
 * What Diego's buildpack lifecycle does: detects, lets the buildpacks work, and writes droplet, build cache and result.
 * Throws StepFailed, buildpack_missing, buildpack_failed, procfile_invalid. The result is written even then, with the
 * buildpacks that took part, as far as is known.
 */
export async function buildDroplet(options: BuilderOptions): Promise<StagingResult> {
  const work = await mkdtemp(join(tmpdir(), 'contents-'));
  const folders = {
    build: options.buildDir,
    cache: options.cacheDir,
    deps: join(work, 'deps'),
    profile: join(work, 'profile.d'),
  };
  const context: StepContext = { folders, env: options.env, say: options.say, signal: options.signal };
  const used: { buildpacks: readonly Buildpack[]; detected: string } = { buildpacks: [], detected: '' };
  try {
    for (const dir of [folders.cache, folders.deps, folders.profile]) await mkdir(dir, { recursive: true });
    const buildpacks = await findBuildpacks(options.order, options);
    const last = await build(buildpacks, options.skipDetect, used, context);
    const released = await release(last, context);
    const procfile = join(options.buildDir, 'Procfile');
    const result = stagingResult({
      launch: indicesIn(folders.deps).flatMap((index) => readIn(folders.deps, index, 'launch.yml', readLaunch) ?? []),
      release: readRelease(released),
      procfile: existsSync(procfile) ? parseProcfile(readFileSync(procfile, 'utf8')) : {},
      detected: used.detected,
      buildpacks: usedBuildpacks(used.buildpacks, folders.deps),
    });
    if (result.process_types['web'] === undefined) {
      options.say('No start command specified by buildpack or via Procfile.');
      options.say('App will not start unless a command is provided at runtime.');
    }
    await writeResult(options.outputMetadata, result);
    await writeOutputs(result, work, folders.deps, options);
    return result;
  } catch (err) {
    const buildpacks = usedBuildpacks(used.buildpacks, folders.deps);
    const known = stagingResult({ launch: [], release: {}, procfile: {}, detected: used.detected, buildpacks });
    await writeResult(options.outputMetadata, known);
    throw err;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function build(
  buildpacks: readonly Buildpack[],
  skipDetect: boolean,
  used: { buildpacks: readonly Buildpack[]; detected: string },
  context: StepContext,
): Promise<Buildpack> {
  const last = buildpacks.at(-1);
  if (skipDetect && last) {
    used.buildpacks = buildpacks;
    await supplyAll(buildpacks.slice(0, -1), context);
    await finalize(last, buildpacks.length - 1, context);
    used.detected = readIn(context.folders.deps, String(buildpacks.length - 1), 'config.yml', readConfig)?.name ?? '';
    return last;
  }
  const { buildpack, name } = await detect(buildpacks, context);
  used.buildpacks = [buildpack];
  used.detected = name;
  await finalize(buildpack, 0, context);
  return buildpack;
}

/** Name and version as each buildpack wrote them down, in the order of the folders. */
function usedBuildpacks(buildpacks: readonly Buildpack[], deps: string): UsedBuildpack[] {
  return buildpacks.map(({ key }, index) => {
    const config = readIn(deps, String(index), 'config.yml', readConfig) ?? {};
    const shown = withoutSecrets(key);
    return { key, name: config.name ?? shown, ...(config.version === undefined ? {} : { version: config.version }) };
  });
}

function readIn<T>(deps: string, index: string, file: string, read: (text: string) => T): T | undefined {
  const path = join(deps, index, file);
  return existsSync(path) ? read(readFileSync(path, 'utf8')) : undefined;
}

async function writeOutputs(result: StagingResult, work: string, deps: string, options: BuilderOptions): Promise<void> {
  const { signal } = options;
  const empty = join(work, 'empty');
  await mkdir(empty);
  const staged = {
    detected_buildpack: result.lifecycle_metadata.detected_buildpack,
    start_command: result.process_types['web'] ?? '',
  };
  await mkdir(dirname(options.outputDroplet), { recursive: true });
  await packTar(
    [
      { name: './staging_info.yml', text: `${JSON.stringify(staged)}\n` },
      { name: './app', dir: options.buildDir },
      { name: './deps', dir: deps },
      { name: './profile.d', dir: join(work, 'profile.d') },
      { name: './tmp', dir: empty },
      { name: './logs', dir: empty },
    ],
    createWriteStream(options.outputDroplet),
    { signal, quick: true },
  );
  await mkdir(dirname(options.outputCache), { recursive: true });
  await packTar([{ name: '.', dir: options.cacheDir }], createWriteStream(options.outputCache), {
    signal,
    quick: true,
  });
}

async function writeResult(path: string, result: StagingResult): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, JSON.stringify(result));
}
