import { existsSync, readdirSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { VERSION } from '../../core/version.js';
import { ImageStore, type StoredImage } from '../../executor/images/store.js';
import { hostArch } from '../../stager/arch.js';
import { buildImage } from '../../stager/build.js';
import { chooseGuest } from '../../stager/suitability/guest.js';
import { suppliedIn, type Supplied } from '../../stager/supplied.js';
import { configYaml, launchYaml, processCommands, releaseYaml, versionWith } from './launch.js';
import type { Say } from './output.js';
import { RELEASE_FILE } from './release-file.js';
import type { Settings } from './settings.js';
import { carriedNpm, toolEnv } from './tools.js';

/** The folders that a buildpack is given. */
export interface Folders {
  /** The application. What is left of it becomes `app/` of the droplet. */
  build: string;
  /** Kept from one staging of this application to the next. */
  cache: string;
  /** `deps/` of the droplet; earlier buildpacks have folders in it. */
  deps: string;
  /** The name of our own folder there. */
  index: string;
}

/**
 * Makes the image and leaves, at `DEPS/INDEX`, `unik/image/`, `launch.yml` and `config.yml`. The droplet carries the
 * application once: in the image. Throws what `buildImage` throws, guest_unsupported.
 */
export async function finalizeApp(
  folders: Folders,
  settings: Settings,
  say: Say,
  signal: AbortSignal,
): Promise<StoredImage> {
  const { build, deps, index } = folders;
  const cache = join(folders.cache, 'unik');
  const own = join(deps, index);
  await mkdir(cache, { recursive: true });
  await mkdir(own, { recursive: true });
  say(`UniK buildpack ${VERSION}, stack ${settings.stack ?? 'not named'}`);
  // Of other processors there is one guest.
  const foreign = settings.arch !== undefined && settings.arch !== hostArch();
  const choice = chooseGuest(settings.guest, foreign ? undefined : settings.kernels);
  const supplied = suppliedIn(deps, index);
  if (supplied) say(`Supplied by buildpacks before: ${supplied.indices.map((name) => `deps/${name}`).join(', ')}`);

  const store = join(own, 'unik/.store');
  try {
    const image = await buildImage({
      source: build,
      store: new ImageStore(store),
      work: cache,
      progress: say,
      guest: choice,
      ...(settings.arch ? { arch: settings.arch } : {}),
      cloudFoundry: true,
      supplied,
      libraryRoot: settings.libraryRoot,
      env: await environment(build, settings, supplied, cache, signal),
      node: nodeOf(settings),
      signal,
    });
    const place = join(own, 'unik/image');
    await rm(place, { recursive: true, force: true });
    await rename(image.dir, place);
    await writeLaunch(build, own, processCommands(image), settings, say);
    await writeFile(join(own, 'config.yml'), configYaml(versionWith(VERSION, image)));
    await dropSupplied(deps, supplied);
    return { ...image, dir: place };
  } finally {
    await rm(store, { recursive: true, force: true });
  }
}

/** Empties the application's folder, unless it is to be kept, and says what to start. */
async function writeLaunch(
  build: string,
  own: string,
  commands: Record<string, string>,
  settings: Settings,
  say: Say,
): Promise<void> {
  if (settings.keepApp) say('Kept: app/ goes into the droplet beside the image, as UNIK_KEEP_APP is set');
  else say('Left out: app/ of the droplet, whose files are in the image (UNIK_KEEP_APP=1 keeps them)');
  // A Procfile that is left would be read again, and its lines name programs that are no longer beside it.
  const gone = settings.keepApp ? readdirSync(build).filter((name) => name === 'Procfile') : readdirSync(build);
  for (const name of gone) await rm(join(build, name), { recursive: true, force: true });
  const release = join(build, RELEASE_FILE);
  await mkdir(dirname(release), { recursive: true });
  await writeFile(release, releaseYaml(commands));
  await writeFile(join(own, 'launch.yml'), launchYaml(commands));
}

/** Earlier buildpacks' files are in the image; what the lifecycle reads about them stays. */
async function dropSupplied(deps: string, supplied: Supplied | undefined): Promise<void> {
  for (const index of supplied?.indices ?? []) {
    for (const name of readdirSync(join(deps, index)).filter((name) => name !== 'config.yml')) {
      await rm(join(deps, index, name), { recursive: true, force: true });
    }
  }
}

async function environment(
  build: string,
  settings: Settings,
  supplied: Supplied | undefined,
  cache: string,
  signal: AbortSignal,
): Promise<NodeJS.ProcessEnv> {
  const env = toolEnv(settings, supplied, cache);
  const wantsNpm = existsSync(join(build, 'package.json')) && !existsSync(join(build, 'node_modules'));
  const npm = wantsNpm ? await carriedNpm(settings, cache, signal) : undefined;
  return npm === undefined ? env : { ...env, PATH: `${env['PATH'] ?? ''}:${npm}` };
}

/** The file of the Node.js that runs this: started through a loader, the process itself cannot tell. */
function nodeOf({ libraryRoot, runtime }: Settings): string {
  return libraryRoot === undefined ? process.execPath : join(runtime, 'bin/node');
}
