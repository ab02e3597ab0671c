import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, lstat, mkdir, readdir, realpath, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import type { Clock } from '../../core/clock.js';
import { messageOf } from '../../core/errors.js';
import { readJsonFile, writeJsonFile } from '../../core/json-file.js';
import type { Log } from '../../core/log.js';
import { SharedWork } from '../../core/shared-work.js';
import type { Fetched, Fetcher, FetchOrder } from '../actions/fetch.js';
import { unpack } from '../actions/unpack.js';

const aboutSchema = z.object({ schema: z.literal(1), archive_bytes: z.number(), bytes: z.number() });

interface Tree {
  archive_bytes: number;
  /** Unpacked. */
  bytes: number;
  used_at: number;
  holders: number;
}

export interface HeldTree {
  /** Read-only, by everybody. Valid until `release`. */
  path: string;
  /** Of the archive. */
  bytes: number;
  release(): Promise<void>;
}

export interface TreesOptions {
  folder: string;
  /** Of all trees together; what is in use may go beyond. */
  max_bytes: number;
  max_entries: number;
  fetcher: Fetcher;
  clock: Clock;
  log: Log;
}

/**
 * What many staging tasks use, unpacked: lifecycles and buildpacks. Kept by the sha256 of the archive, in
 * `<sha256>/tree` with `<sha256>/about.json` beside it; least recently used first out.
 */
export class Trees {
  readonly #trees = new Map<string, Tree>();
  readonly #unpacking = new SharedWork<void>();
  #folder = '';

  constructor(private readonly options: TreesOptions) {}

  /** Reads what an earlier process left. Call once, first. */
  async load(): Promise<void> {
    await mkdir(this.options.folder, { recursive: true, mode: 0o700 });
    this.#folder = await realpath(this.options.folder);
    for (const name of await readdir(this.#folder)) {
      try {
        const file = join(this.#folder, name, ABOUT);
        const { archive_bytes, bytes } = aboutSchema.parse(await readJsonFile(file));
        this.#trees.set(name, { archive_bytes, bytes, used_at: (await stat(file)).mtimeMs, holders: 0 });
      } catch (err) {
        // A cache may lose anything; half unpacked ones have no description yet.
        this.options.log.debug({ name, err: messageOf(err) }, 'staging.tree-dropped');
        await rm(join(this.#folder, name), { recursive: true, force: true });
      }
    }
    await this.#evict();
  }

  /** Fetches and unpacks unless it is there. Throws download_failed, archive_invalid, archive_too_large, disk_full. */
  async hold(order: FetchOrder, signal: AbortSignal): Promise<HeldTree> {
    const { checksum } = order;
    const wanted = checksum?.algorithm === 'sha256' ? checksum.value.toLowerCase() : undefined;
    const there = wanted === undefined ? undefined : await this.#held(wanted);
    if (there) return there;
    const fetched = await this.options.fetcher.fetch(order, signal);
    try {
      const key = wanted ?? (await sha256Of(fetched.path, signal));
      if (!this.#trees.has(key)) await this.#unpacking.run(key, signal, (either) => this.#unpack(key, fetched, either));
      // Nothing is evicted between a tree's making and this.
      const held = await this.#held(key);
      if (!held) throw new Error(`the tree ${key} is gone`);
      return held;
    } finally {
      await fetched.release();
    }
  }

  async #held(key: string): Promise<HeldTree | undefined> {
    const tree = this.#trees.get(key);
    if (!tree) return undefined;
    tree.holders += 1;
    tree.used_at = this.options.clock.now();
    const seconds = tree.used_at / 1_000;
    await utimes(join(this.#folder, key, ABOUT), seconds, seconds);
    return {
      path: join(this.#folder, key, TREE),
      bytes: tree.archive_bytes,
      release: async () => {
        tree.holders -= 1;
        await this.#evict();
      },
    };
  }

  async #unpack(key: string, { path, bytes: archive_bytes }: Fetched, signal: AbortSignal): Promise<void> {
    const { max_bytes, max_entries, clock } = this.options;
    const part = join(this.#folder, `${key}.${randomBytes(6).toString('hex')}`);
    try {
      await mkdir(join(part, TREE), { recursive: true });
      await unpack(path, join(part, TREE), { max_bytes, max_entries }, signal);
      const bytes = await share(join(part, TREE));
      await writeJsonFile(join(part, ABOUT), { schema: 1, archive_bytes, bytes });
      await rename(part, join(this.#folder, key));
      this.#trees.set(key, { archive_bytes, bytes, used_at: clock.now(), holders: 0 });
    } catch (err) {
      await rm(part, { recursive: true, force: true });
      throw err;
    }
  }

  async #evict(): Promise<void> {
    const byAge = [...this.#trees].sort(([, a], [, b]) => a.used_at - b.used_at);
    let total = byAge.reduce((sum, [, { bytes }]) => sum + bytes, 0);
    for (const [key, { bytes, holders }] of byAge) {
      if (total <= this.options.max_bytes) return;
      if (holders > 0) continue;
      total -= bytes;
      this.#trees.delete(key);
      // Away from its name in one step: it may be wanted again at any moment.
      const gone = join(this.#folder, `${key}.${randomBytes(6).toString('hex')}`);
      await rename(join(this.#folder, key), gone);
      await rm(gone, { recursive: true, force: true });
    }
  }
}

const TREE = 'tree';
const ABOUT = 'about.json';

async function sha256Of(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash, { signal });
  return hash.digest('hex');
}

/** Lets every account read it, and run what its owner may run. Gives its bytes. */
async function share(path: string): Promise<number> {
  const found = await lstat(path);
  if (found.isDirectory()) {
    await chmod(path, 0o755);
    let sum = 0;
    for (const name of await readdir(path)) sum += await share(join(path, name));
    return sum;
  }
  if (!found.isFile()) return 0;
  await chmod(path, (found.mode & 0o100) === 0 ? 0o644 : 0o755);
  return found.size;
}
