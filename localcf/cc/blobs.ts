/** Packages, droplets, buildpacks and build caches on disk, each under the digest of its bytes. */
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode, UnikError } from '../../core/errors.js';
import { Holds } from '../../core/holds.js';
import { Turns } from '../../core/turns.js';
import { cfError } from './errors.js';

/** Digests are hex. */
export interface Blob {
  sha256: string;
  sha1: string;
  bytes: number;
}

/** Stays on disk until `release`, also while no row names it: call that once a row does, or never will. */
export interface HeldBlob extends Blob {
  release(): void;
}

export interface ScratchFolder {
  path: string;
  remove(): Promise<void>;
}

export class Blobs {
  readonly #folder: string;
  readonly #held = new Holds();
  /** One at a time: a sweep must not take what a put has just found to be there. */
  readonly #turns = new Turns();

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** `folder` is ours alone; what a killed process left half done is removed. */
  static async open(folder: string): Promise<Blobs> {
    await rm(join(folder, 'tmp'), { recursive: true, force: true });
    for (const name of ['blobs', 'tmp']) await mkdir(join(folder, name), { recursive: true, mode: 0o700 });
    return new Blobs(folder);
  }

  /** Keeps a stream's bytes. Throws UploadTooLarge for more than `max_bytes`; nothing of it is left then. */
  async put(content: AsyncIterable<Uint8Array>, max_bytes: number): Promise<HeldBlob> {
    const temp = join(this.#folder, 'tmp', randomBytes(12).toString('hex'));
    try {
      return await this.#place(temp, await save(content, temp, max_bytes));
    } catch (err) {
      await rm(temp, { force: true });
      throw err;
    }
  }

  /** Keeps a finished file of a scratch folder, by moving it here. */
  async adopt(path: string): Promise<HeldBlob> {
    const blob = await digest(createReadStream(path));
    const file = await open(path, 'r');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
    return this.#place(path, blob);
  }

  /** Keeps what is there from being swept; undefined where it is not. */
  async hold(sha256: string): Promise<(() => void) | undefined> {
    const release = this.#held.take(sha256);
    if ((await this.path(sha256)) !== undefined) return release;
    release();
    return undefined;
  }

  /** Undefined: there is none. */
  async path(sha256: string): Promise<string | undefined> {
    const path = this.#path(sha256);
    try {
      return (await stat(path)).isFile() ? path : undefined;
    } catch (err) {
      if (hasCode(err, 'ENOENT')) return undefined;
      throw err;
    }
  }

  /** A folder on the same file system, for what is being made. */
  async scratch(): Promise<ScratchFolder> {
    const path = await mkdtemp(join(this.#folder, 'tmp', 'work-'));
    return { path, remove: () => rm(path, { recursive: true, force: true }) };
  }

  /** Removes all blobs that are neither held nor in `used`; gives how many went. */
  sweep(used: () => ReadonlySet<string>): Promise<number> {
    return this.#turns.take(async () => {
      const live = used();
      let gone = 0;
      for (const shelf of await readdir(join(this.#folder, 'blobs'))) {
        for (const sha256 of await readdir(join(this.#folder, 'blobs', shelf))) {
          if (live.has(sha256) || this.#held.has(sha256)) continue;
          await rm(join(this.#folder, 'blobs', shelf, sha256), { force: true });
          gone += 1;
        }
      }
      return gone;
    });
  }

  #path(sha256: string): string {
    if (!/^[0-9a-f]{64}$/.test(sha256)) throw new UnikError('bad_request', `${sha256} is no sha256 in hex`);
    return join(this.#folder, 'blobs', sha256.slice(0, 2), sha256);
  }

  #place(temp: string, blob: Blob): Promise<HeldBlob> {
    const release = this.#held.take(blob.sha256);
    return this.#turns
      .take(async () => {
        const path = this.#path(blob.sha256);
        await mkdir(join(path, '..'), { recursive: true, mode: 0o700 });
        await rename(temp, path);
        return { ...blob, release };
      })
      .catch((err: unknown) => {
        release();
        throw err;
      });
  }
}

async function save(content: AsyncIterable<Uint8Array>, path: string, max_bytes: number): Promise<Blob> {
  const file = await open(path, 'wx', 0o600);
  try {
    const blob = await digest(content, async (chunk, bytes) => {
      if (bytes > max_bytes) throw cfError('UploadTooLarge', `the ${max_bytes} bytes allowed`);
      await file.writeFile(chunk);
    });
    await file.sync();
    return blob;
  } finally {
    await file.close();
  }
}

async function digest(
  content: AsyncIterable<Uint8Array>,
  each: (chunk: Uint8Array, bytes: number) => Promise<void> = async () => undefined,
): Promise<Blob> {
  const [sha256, sha1] = [createHash('sha256'), createHash('sha1')];
  let bytes = 0;
  for await (const chunk of content) {
    bytes += chunk.length;
    sha256.update(chunk);
    sha1.update(chunk);
    await each(chunk, bytes);
  }
  return { sha256: sha256.digest('hex'), sha1: sha1.digest('hex'), bytes };
}
