import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { hasCode, messageOf, toUnikError, UnikError } from '../../core/errors.js';
import { readJsonFile, writeJsonFile } from '../../core/json-file.js';
import { identify, isAlive } from '../../core/process.js';
import type { ImageSource } from '../executor.js';
import { digestFile, digestImage } from './digest.js';
import { imageSchema, type Image } from './image.js';
import { NameTable, namesOf } from './name-table.js';
import { isName, normalizeName } from './names.js';

/** An image with its folder on this host. */
export type StoredImage = Image & { dir: string };

/** What `unik images` shows. */
export type ListedImage = StoredImage & { names: string[] };

export interface Removal {
  untagged: string[];
  /** The digest, when the image itself went too. */
  deleted?: string;
}

const TEMPORARY = /^\.tmp-(\d+)-(\d+)-/;
const MIN_PREFIX = 6;

/**
 * Images by digest: `<dir>/<hex>/image.json` with the root file beside it, names in `<dir>/names.json`.
 * An image appears by one rename, whole or not at all, and never changes afterwards: its files are read-only and all
 * instances share them.
 */
export class ImageStore implements ImageSource {
  readonly #dir: string;
  /** Root files whose every byte was read and found right, with what tells that they are as they were then. */
  readonly #sound = new Map<string, { state: string; verified: Promise<unknown> }>();
  readonly #names: NameTable;

  /** `dir`: the folder `images` in the state folder; made on the first write. */
  constructor(dir: string) {
    this.#dir = dir;
    this.#names = new NameTable(join(dir, 'names.json'));
  }

  /** By name, digest, or a unique start of one (6 characters or more). Throws image_missing, image_truncated, name_ambiguous, image_invalid. */
  async get(ref: string): Promise<StoredImage> {
    return this.#load(await this.#resolve(ref));
  }

  /**
   * As `get`, and sure that the bytes are those of the digest: they are read when this process first meets the image, and
   * again when the file has changed. Throws image_digest_mismatch besides.
   */
  async getSound(ref: string): Promise<StoredImage> {
    const image = await this.get(ref);
    const root = join(image.dir, image.root.file);
    const { ino, size, mtimeNs } = await stat(root, { bigint: true });
    const state = `${ino}:${size}:${mtimeNs}`;
    let known = this.#sound.get(root);
    if (known?.state !== state) {
      // Kept while it is read, so that a thousand starts of one image read it once.
      known = { state, verified: this.verify(image.digest) };
      this.#sound.set(root, known);
    }
    try {
      await known.verified;
    } catch (err) {
      if (this.#sound.get(root) === known) this.#sound.delete(root);
      throw err;
    }
    return image;
  }

  /** All images that can be read, newest first; `onBroken` is told of the others. */
  async list(onBroken?: (digest: string, err: UnikError) => void): Promise<ListedImage[]> {
    const names = await this.#names.read();
    const images: ListedImage[] = [];
    for (const digest of await this.#digests()) {
      try {
        const image = await this.#load(digest);
        images.push({ ...image, names: namesOf(names, digest) });
      } catch (err) {
        onBroken?.(digest, toUnikError(err, 'image_invalid'));
      }
    }
    return images.sort((a, b) => (a.created < b.created ? 1 : -1));
  }

  /** Names that point at this image, sorted. */
  async names(digest: string): Promise<string[]> {
    return namesOf(await this.#names.read(), digest);
  }

  /**
   * Runs `prepare` with a new folder inside the store and removes that folder, whatever happened, unless `add` took
   * it. ENOSPC becomes disk_full.
   */
  async prepare<T>(prepare: (dir: string) => Promise<T>): Promise<T> {
    const self = await identify(process.pid);
    const dir = join(this.#dir, `.tmp-${process.pid}-${self?.start_ticks ?? '0'}-${randomBytes(6).toString('hex')}`);
    try {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      return await prepare(dir);
    } catch (err) {
      throw toUnikError(err);
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  }

  /** Takes a prepared folder, which holds the root file, into the store. The same image twice is one image. */
  async add(dir: string, image: Image): Promise<StoredImage> {
    checkRootFile(image);
    const root = join(dir, image.root.file);
    await writeJsonFile(join(dir, 'image.json'), imageSchema.parse(image), 0o444);
    await chmod(root, 0o444);
    await chmod(dir, 0o755);
    const there = await this.#load(image.digest).catch(() => undefined);
    if (there) return there;
    const home = this.#folder(image.digest);
    // What lies there is broken, or nothing does.
    await rm(home, { recursive: true, force: true });
    try {
      await rename(dir, home);
    } catch (err) {
      // Another build of the same image was first.
      if (!hasCode(err, 'ENOTEMPTY') && !hasCode(err, 'EEXIST')) throw err;
    }
    return this.#load(image.digest);
  }

  /** Points a name (`NAME` or `NAME:TAG`) at an image; gives the full name. Throws bad_request, image_missing. */
  async tag(name: string, ref: string): Promise<string> {
    const full = normalizeName(name);
    const digest = await this.#resolve(ref);
    await this.#names.point(full, digest);
    return full;
  }

  /**
   * Takes a name away; with its last name, or when named by digest, the image goes too. Works for broken images.
   * Throws image_missing, image_in_use (unless `force`), conflict for a digest with several names (unless `force`).
   */
  async remove(ref: string, options: { force?: boolean; inUse?: (digest: string) => boolean } = {}): Promise<Removal> {
    const digest = await this.#resolve(ref);
    const names = await this.names(digest);
    const byName = isName(ref) && names.includes(normalizeName(ref));
    if (byName && names.length > 1) {
      await this.#names.remove([normalizeName(ref)]);
      return { untagged: [normalizeName(ref)] };
    }
    if (options.force !== true) {
      if (options.inUse?.(digest)) throw new UnikError('image_in_use', `image ${ref} is used by an instance`);
      if (names.length > 1) throw new UnikError('conflict', `image ${ref} has several names: ${names.join(', ')}`);
    }
    await this.#names.remove(names);
    await rm(this.#folder(digest), { recursive: true, force: true });
    return { untagged: names, deleted: digest };
  }

  /** Reads every byte again. Throws image_truncated, image_digest_mismatch, image_invalid. */
  async verify(ref: string, signal?: AbortSignal): Promise<void> {
    const image = await this.get(ref);
    const { dir, ...document } = image;
    const root = await digestFile(join(dir, image.root.file), signal);
    if (root !== image.root.digest) {
      throw new UnikError(
        'image_digest_mismatch',
        `${join(dir, image.root.file)} has digest ${root}, image.json says ${image.root.digest}`,
      );
    }
    const digest = digestImage(document);
    if (digest !== image.digest) {
      throw new UnikError('image_digest_mismatch', `${dir}/image.json has digest ${digest}, it says ${image.digest}`);
    }
  }

  /** Removes what builds of processes that are gone left half-made. Gives how many. */
  async sweep(): Promise<number> {
    let swept = 0;
    for (const name of await this.#entries()) {
      const [, pid, ticks = ''] = TEMPORARY.exec(name) ?? [];
      if (pid === undefined || (await isAlive({ pid: Number(pid), start_ticks: ticks }))) continue;
      await rm(join(this.#dir, name), { recursive: true, force: true });
      swept += 1;
    }
    return swept;
  }

  async #resolve(ref: string): Promise<string> {
    if (isName(ref) && !ref.startsWith('sha256:')) {
      const named = (await this.#names.read())[normalizeName(ref)];
      if (named !== undefined) return named;
    }
    const hex = ref.replace(/^sha256:/, '');
    if (!/^[0-9a-f]+$/.test(hex) || hex.length < MIN_PREFIX) throw missing(ref);
    const [found, another] = (await this.#digests()).filter((digest) => digest.startsWith(`sha256:${hex}`));
    if (found === undefined) throw missing(ref);
    if (another !== undefined)
      throw new UnikError('name_ambiguous', `several images have a digest that starts with ${hex}`);
    return found;
  }

  async #load(digest: string): Promise<StoredImage> {
    const dir = this.#folder(digest);
    const image = await this.#parse(digest, join(dir, 'image.json'));
    const root = join(dir, image.root.file);
    const bytes = await stat(root).then(
      (stats) => stats.size,
      (err: unknown) => {
        if (hasCode(err, 'ENOENT')) return 0;
        throw err;
      },
    );
    if (bytes !== image.root.bytes) {
      throw new UnikError('image_truncated', `${root} has ${bytes} bytes instead of ${image.root.bytes}`);
    }
    return { ...image, dir };
  }

  async #parse(digest: string, path: string): Promise<Image> {
    let value: unknown;
    try {
      value = await readJsonFile(path);
    } catch (err) {
      throw new UnikError('image_invalid', `${path}: ${messageOf(err)}`, { cause: err });
    }
    if (value === undefined) throw missing(digest);
    const parsed = imageSchema.safeParse(value);
    if (!parsed.success) throw new UnikError('image_invalid', `${path}: ${z.prettifyError(parsed.error)}`);
    checkRootFile(parsed.data);
    if (parsed.data.digest !== digest) {
      throw new UnikError('image_digest_mismatch', `${path} says ${parsed.data.digest}, its folder is ${digest}`);
    }
    return parsed.data;
  }

  async #digests(): Promise<string[]> {
    return (await this.#entries()).filter((name) => /^[0-9a-f]{64}$/.test(name)).map((hex) => `sha256:${hex}`);
  }

  async #entries(): Promise<string[]> {
    try {
      return (await readdir(this.#dir)).sort();
    } catch (err) {
      if (hasCode(err, 'ENOENT')) return [];
      throw err;
    }
  }

  #folder(digest: string): string {
    return join(this.#dir, digest.replace('sha256:', ''));
  }
}

/** An image from elsewhere must not name a file outside its folder. Throws image_invalid. */
export function checkRootFile(image: Pick<Image, 'root'>): void {
  const { file } = image.root;
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(file) || file === 'image.json') {
    throw new UnikError('image_invalid', `${JSON.stringify(file)} is not the name of a root file`);
  }
}

function missing(ref: string): UnikError {
  return new UnikError('image_missing', `no image ${ref}`);
}
