import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, toUnikError, UnikError } from '../../../core/errors.js';
import { writeJsonFile } from '../../../core/json-file.js';
import { composeImage } from '../../../executor/images/compose.js';
import { digestFile } from '../../../executor/images/digest.js';
import type { Image } from '../../../executor/images/image.js';
import type { ImageStore } from '../../../executor/images/store.js';
import { VCAP } from '../../../executor/images/tree.js';
import { LINUX_ABI } from '../../../executor/guests/linux/index.js';
import type { Arch } from '../../../executor/model.js';
import { copyFailure, createFailed } from '../../convert/outcome.js';
import type { Download, RunOrder } from '../model.js';
import { addArchive } from './archive.js';
import type { BaseTree } from './base-tree.js';
import { fetched, type Fetched, type Fetcher, type ImageMaker } from './droplets.js';
import { SharedWork } from '../../../core/shared-work.js';
import { knownImage, type Note } from './notes.js';
import { StartFailure } from './start-failure.js';

export interface ComposerDeps {
  store: ImageStore;
  fetcher: Fetcher;
  /** Our folder: notes of what was made, and what is being unpacked. */
  dir: string;
  arch: Arch;
  /** Asked for once, when it is first needed. */
  base: () => Promise<BaseTree>;
  /** Bound of what one archive holds, bytes. */
  max_bytes?: number;
}

/** As a shell finds it in a Cloud Foundry container (Garden's defaults for vcap). */
const ENV = { PATH: '/usr/local/bin:/usr/bin:/bin', USER: 'vcap', HOME: '/home/vcap' };
const MAX_BYTES = 8 * 2 ** 30;

interface Made {
  image: Image;
  /** What its downloads hold, but for dependencies, which are shared. */
  bytes: number;
}

type Arrived = Fetched & { download: Download; digest: string };

/**
 * Makes an image from an order's own downloads on a base (design D3's exception), for what was not staged by us. The
 * same downloads give the same image, made once.
 */
export function createComposer(deps: ComposerDeps): ImageMaker {
  const { store, fetcher, dir } = deps;
  const work = new SharedWork<Made>();
  let based: Promise<BaseTree> | undefined;
  const base = (): Promise<BaseTree> =>
    (based ??= deps.base().catch((err: unknown) => {
      based = undefined;
      throw err;
    }));

  async function make(key: string, from: BaseTree, archives: readonly Arrived[], signal: AbortSignal): Promise<Made> {
    const note = join(dir, 'made', `${key}.json`);
    const known = await knownImage(note, store);
    if (known) return { image: known.found, bytes: known.bytes };
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const scratch = await mkdtemp(join(dir, 'unpack-'));
    try {
      const made = await compose(from, archives, scratch, deps, signal);
      await writeJsonFile(note, { image: made.image.digest, bytes: made.bytes } satisfies Note);
      return made;
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  }

  return {
    async imageFor(order, listener, signal) {
      const archives: Arrived[] = [];
      let making: Promise<Made> | undefined;
      try {
        for (const download of order.downloads) {
          listener.begin(download);
          const file = await fetched(fetcher, download, signal);
          archives.push({ ...file, download, digest: '' });
          listener.done(download, file.bytes);
        }
        for (const archive of archives) archive.digest = await digestFile(archive.path, signal);
        const from = await base();
        const parts = archives.map(({ digest, download: { to, dependency } }) => [digest, to, dependency ?? false]);
        const key = createHash('sha256')
          .update(JSON.stringify([from.fingerprint, parts]))
          .digest('hex');
        const { image, bytes } = await work.run(key, signal, (enough) => (making = make(key, from, archives, enough)));
        checkDisk(order, bytes);
        return image;
      } catch (err) {
        signal.throwIfAborted();
        if (err instanceof StartFailure) throw err;
        const { message } = toUnikError(err);
        throw new StartFailure(createFailed(message), err);
      } finally {
        // What is made of them may still be read when we who asked have gone.
        const letGo = (): Promise<unknown> => Promise.all(archives.map((archive) => archive.release()));
        if (making) void making.then(letGo, letGo);
        else await letGo();
      }
    },
  };
}

async function compose(
  from: BaseTree,
  archives: readonly Arrived[],
  scratch: string,
  { store, arch, max_bytes = MAX_BYTES }: ComposerDeps,
  signal: AbortSignal,
): Promise<Made> {
  const tree = await from.make();
  let bytes = 0;
  for (const [index, { path, download }] of archives.entries()) {
    const spool = join(scratch, String(index));
    await mkdir(spool, { mode: 0o700 });
    try {
      const added = await addArchive(tree, path, { to: download.to, owner: VCAP, spool, max_bytes, signal });
      bytes += download.dependency ? 0 : added;
    } catch (err) {
      signal.throwIfAborted();
      if (!(err instanceof UnikError)) throw err;
      throw new StartFailure(copyFailure(download, messageOf(err)), err);
    }
  }
  const config = {
    ...{ guest: 'linux' as const, abi: LINUX_ABI, arch, processes: {}, env: ENV, ports: [], volumes: [] },
    // A time of its own would make no difference to the digest, and tell nobody anything.
    ...{ created: new Date(0).toISOString(), labels: { shell: '/bin/bash' }, findings: [] },
  };
  return { image: await composeImage(tree, config, store, signal), bytes };
}

/** As if they had been copied into a container: they count against its disk. */
function checkDisk({ limits: { disk_mb }, downloads }: RunOrder, bytes: number): void {
  const last = downloads.findLast(({ dependency }) => !dependency);
  if (!last || disk_mb === 0 || bytes <= disk_mb * 2 ** 20) return;
  const why = new UnikError(
    'definition_unsupported',
    `${Math.ceil(bytes / 2 ** 20)} MB are more than its disk of ${disk_mb} MB`,
  );
  throw new StartFailure(copyFailure(last, why.message), why);
}

/** With the option on, only what is called a droplet is taken for one, and one without an image is composed as well. */
export function composingWhereNeeded(droplets: ImageMaker, composer: ImageMaker): ImageMaker {
  return {
    async imageFor(order: RunOrder, listener, signal) {
      if (!order.downloads.some(({ artifact }) => artifact === 'droplet')) {
        return composer.imageFor(order, listener, signal);
      }
      try {
        return await droplets.imageFor(order, listener, signal);
      } catch (err) {
        const { cause } = err as { cause?: unknown };
        if (!(cause instanceof UnikError) || cause.code !== 'image_invalid') throw err;
        return composer.imageFor(order, { begin: () => undefined, done: () => undefined }, signal);
      }
    },
  };
}
