import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { messageOf } from '../../core/errors.js';
import { readJsonFile, writeJsonFile } from '../../core/json-file.js';
import type { Log } from '../../core/log.js';
import type { Validators } from './transfer.js';

const documentSchema = z.object({
  schema: z.literal(1),
  file: z.string().regex(/^[0-9a-f-]+\.data$/),
  bytes: z.number(),
  validators: z.object({ etag: z.string().exactOptional(), last_modified: z.string().exactOptional() }),
  checksum: z.string(),
  used_at: z.number(),
});
type Document = z.infer<typeof documentSchema>;

/** One downloaded file. It stays on disk while somebody holds it, and as long as the cache wants it. */
export interface CachedFile {
  path: string;
  bytes: number;
  validators: Validators;
  /** `sha256:<hex>` and the like, as it was verified; empty when it was not. */
  checksum: string;
  used_at: number;
  holders: number;
  /** The cache no longer knows it, or never did. */
  forgotten: boolean;
}

/**
 * Downloads by cache key, least recently used first out. A content file is never rewritten: its document names it,
 * and is replaced in one step. Keys may hold secrets, so only their hash is on disk.
 */
export class DownloadCache {
  readonly #folder: string;
  readonly #max_bytes: number;
  readonly #log: Log;
  readonly #files = new Map<string, CachedFile>();
  #loaded: Promise<void> | undefined;

  constructor(folder: string, max_bytes: number, log: Log) {
    this.#folder = folder;
    this.#max_bytes = max_bytes;
    this.#log = log;
  }

  /** Reads what an earlier process left, and sweeps what is of no use. Once; later calls wait for the first. */
  load(): Promise<void> {
    this.#loaded ??= this.#read();
    return this.#loaded;
  }

  /** A new path for a download in progress; swept at the next start. */
  freshPath(): string {
    return join(this.#folder, `${randomBytes(12).toString('hex')}.part`);
  }

  get(key: string): CachedFile | undefined {
    return this.#files.get(hashOf(key));
  }

  /** Takes a finished download in, in place of what was there under `key`. It is held once, by the caller. */
  async put(key: string, part: CachedFile): Promise<CachedFile> {
    const name = hashOf(key);
    const file: CachedFile = { ...part, path: join(this.#folder, `${name}-${randomBytes(6).toString('hex')}.data`) };
    await rename(part.path, file.path);
    await this.#write(name, file);
    const before = this.#files.get(name);
    this.#files.set(name, file);
    if (before) await this.#forget(before);
    await this.#evict();
    return file;
  }

  /** Notes that it was of use again. */
  async touch(key: string, now: number): Promise<void> {
    const file = this.get(key);
    if (!file) return;
    file.used_at = now;
    await this.#write(hashOf(key), file);
  }

  async release(file: CachedFile): Promise<void> {
    file.holders -= 1;
    if (file.forgotten && file.holders === 0) await rm(file.path, { force: true });
    await this.#evict();
  }

  async #evict(): Promise<void> {
    const byAge = [...this.#files].sort(([, a], [, b]) => a.used_at - b.used_at);
    let total = byAge.reduce((sum, [, file]) => sum + file.bytes, 0);
    for (const [name, file] of byAge) {
      if (total <= this.#max_bytes) return;
      // What is held is in use whatever its age: it goes when it is let go.
      if (file.holders > 0) continue;
      total -= file.bytes;
      this.#files.delete(name);
      await rm(join(this.#folder, `${name}.json`), { force: true });
      await this.#forget(file);
    }
  }

  async #forget(file: CachedFile): Promise<void> {
    file.forgotten = true;
    if (file.holders === 0) await rm(file.path, { force: true });
  }

  async #write(name: string, file: CachedFile): Promise<void> {
    const { path, bytes, validators, checksum, used_at } = file;
    const document: Document = {
      schema: 1,
      file: path.slice(this.#folder.length + 1),
      bytes,
      validators,
      checksum,
      used_at,
    };
    await writeJsonFile(join(this.#folder, `${name}.json`), document);
  }

  async #read(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const present = new Set(await readdir(this.#folder));
    const wanted = new Set<string>();
    for (const document of [...present].filter((name) => name.endsWith('.json'))) {
      const found = await this.#document(document);
      if (!found || !present.has(found.file)) continue;
      const { file, bytes, validators, checksum, used_at } = found;
      const path = join(this.#folder, file);
      this.#files.set(document.replace(/\.json$/, ''), {
        ...{ path, bytes, validators, checksum, used_at },
        ...{ holders: 0, forgotten: false },
      });
      wanted.add(document).add(file);
    }
    for (const name of present) if (!wanted.has(name)) await rm(join(this.#folder, name), { force: true });
    await this.#evict();
  }

  async #document(name: string): Promise<Document | undefined> {
    try {
      return documentSchema.parse(await readJsonFile(join(this.#folder, name)));
    } catch (err) {
      // A cache may lose anything: it is downloaded again.
      this.#log.warn({ file: name, err: messageOf(err) }, 'download-cache.entry-dropped');
      return undefined;
    }
  }
}

const hashOf = (key: string): string => createHash('sha256').update(key).digest('hex').slice(0, 40);
