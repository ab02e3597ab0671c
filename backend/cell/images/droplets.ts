import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { hasCode, messageOf, toUnikError, UnikError } from '../../../core/errors.js';
import { writeJsonFile } from '../../../core/json-file.js';
import type { Image } from '../../../executor/images/image.js';
import { unpackDroplet } from '../../../executor/images/droplet.js';
import type { ImageStore } from '../../../executor/images/store.js';
import { copyFailure, createFailed, downloadFailure } from '../../convert/outcome.js';
import type { Download, RunOrder } from '../model.js';
import { SharedWork } from '../../../core/shared-work.js';
import { knownImage, type Note } from './notes.js';
import { StartFailure } from './start-failure.js';

/** Brings a download to this host: `stager/actions/fetch.ts` makes one. */
export interface Fetcher {
  fetch(download: Download, signal: AbortSignal): Promise<Fetched>;
}

/** The archive as it came, readable until `release`. */
export interface Fetched {
  path: string;
  bytes: number;
  release(): Promise<void>;
}

/** Told of each download in order. */
export interface DownloadListener {
  begin(download: Download): void;
  done(download: Download, bytes: number): void;
}

/** Finds, or makes, the image of an order. Throws StartFailure. */
export interface ImageMaker {
  imageFor(order: RunOrder, listener: DownloadListener, signal: AbortSignal): Promise<Image>;
}

export interface DropletDeps {
  store: ImageStore;
  fetcher: Fetcher;
  /** Our folder: one small file per droplet. */
  dir: string;
}

/** Images that droplets carry (design 4.1), unpacked once per checksum and shared by all instances. */
export function createDroplets({ store, fetcher, dir }: DropletDeps): ImageMaker {
  const work = new SharedWork<Note & { found: Image }>();

  /** By checksum; without one there is nothing to know a droplet by. */
  const noteOf = ({ checksum }: Download): string | undefined =>
    checksum && /^[0-9a-f]+$/i.test(checksum.value)
      ? join(dir, `${checksum.algorithm}-${checksum.value.toLowerCase()}.json`)
      : undefined;

  async function unpack(download: Download, signal: AbortSignal): Promise<Note & { found: Image }> {
    const path = noteOf(download);
    const before = path === undefined ? undefined : await knownImage(path, store);
    if (before) return before;
    const archive = await fetched(fetcher, download, signal);
    try {
      const found = await unpackDroplet(createReadStream(archive.path), store, signal);
      const note: Note = { image: found.digest, bytes: archive.bytes };
      if (path !== undefined) await writeJsonFile(path, note);
      return { ...note, found };
    } catch (err) {
      signal.throwIfAborted();
      if (hasCode(err, 'ENOSPC')) throw toUnikError(err);
      throw new StartFailure(copyFailure(download, messageOf(err)), err);
    } finally {
      await archive.release();
    }
  }

  return {
    async imageFor(order, listener, signal) {
      const download = dropletOf(order);
      listener.begin(download);
      const { checksum, from } = download;
      const key = checksum ? `${checksum.algorithm}-${checksum.value}` : from;
      const { found, bytes } = await work.run(key, signal, (enough) => unpack(download, enough));
      listener.done(download, bytes);
      return found;
    },
  };
}

/** The one that is called so, or the only one there is. Throws StartFailure. */
export function dropletOf({ downloads, stack }: RunOrder): Download {
  const named = downloads.find(({ artifact }) => artifact === 'droplet');
  const [only, ...others] = downloads;
  const found = named ?? (others.length === 0 ? only : undefined);
  if (found) return found;
  const why = `there is no droplet among its ${downloads.length} downloads`;
  throw new StartFailure(
    { ...createFailed(why), retryable: false },
    new UnikError('image_missing', `${why}: stack ${stack} runs droplets that were staged for it`),
  );
}

/** Throws StartFailure in Diego's words, with the reason as its cause. */
export async function fetched(fetcher: Fetcher, download: Download, signal: AbortSignal): Promise<Fetched> {
  try {
    return await fetcher.fetch(download, signal);
  } catch (err) {
    signal.throwIfAborted();
    throw new StartFailure(downloadFailure(download), err);
  }
}
