import { createWriteStream } from 'node:fs';
import { link, lstat, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { hasCode, UnikError } from '../../core/errors.js';

/**
 * A folder that is filled with names of others' choice. Nothing is written through a link: folders on the way must be
 * folders, what is in a file's place is removed first, and links of the archive itself are made last, by `finish`.
 */
export class SafeFolder {
  readonly #root: string;
  readonly #left: { bytes: number; entries: number };
  /** Known to be folders, not links. */
  readonly #folders = new Set<string>(['.']);
  readonly #links: { name: string; make: (path: string) => Promise<void> }[] = [];
  readonly #hardlinks: { name: string; target: string }[] = [];

  constructor(root: string, limits: { max_bytes: number; max_entries: number }) {
    this.#root = root;
    this.#left = { bytes: limits.max_bytes, entries: limits.max_entries };
  }

  async directory(name: string): Promise<void> {
    await this.#folder(this.#inside(name));
  }

  async file(
    name: string,
    mode: number | undefined,
    content: AsyncIterable<Buffer>,
    signal: AbortSignal,
  ): Promise<void> {
    const path = await this.#place(this.#inside(name));
    const measure = new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        try {
          this.#take(name, chunk.length);
          done(null, chunk);
        } catch (err) {
          done(err as Error);
        }
      },
    });
    const to = createWriteStream(path, { flags: 'wx', mode: (mode ?? 0o644) & 0o777 });
    await pipeline(content, measure, to, { signal });
  }

  /** A small file, whole: streams cost several times what writing it does. */
  async bytes(name: string, mode: number | undefined, content: Uint8Array): Promise<void> {
    this.#take(name, content.length);
    const path = await this.#place(this.#inside(name));
    await writeFile(path, content, { flag: 'wx', mode: (mode ?? 0o644) & 0o777 });
  }

  symlink(name: string, target: string): void {
    this.#links.push({ name: this.#inside(name), make: (path) => symlink(target, path) });
  }

  /** `target` is a name in the archive. */
  hardlink(name: string, target: string): void {
    this.#hardlinks.push({ name: this.#inside(name), target: this.#inside(target) });
  }

  async finish(): Promise<void> {
    for (const { name, target } of this.#hardlinks) {
      await this.#folder(dirname(target));
      const path = await this.#place(name);
      if ((await lstat(join(this.#root, target))).isSymbolicLink()) throw refuse(target, 'is linked, and a link');
      await link(join(this.#root, target), path);
    }
    const placed: { path: string; make: (path: string) => Promise<void> }[] = [];
    for (const { name, make } of this.#links) placed.push({ path: await this.#place(name), make });
    // Two links of one name: the last counts, as for files.
    for (const { path, make } of new Map(placed.map((one) => [one.path, one])).values()) await make(path);
  }

  #take(name: string, bytes: number): void {
    this.#left.bytes -= bytes;
    if (this.#left.bytes >= 0) return;
    throw new UnikError('archive_too_large', `unpacked it is larger than allowed, at ${JSON.stringify(name)}`);
  }

  #inside(name: string): string {
    this.#left.entries -= 1;
    if (this.#left.entries < 0) throw new UnikError('archive_too_large', 'the archive has more entries than allowed');
    const path = normalize(name).replace(/\/+$/, '');
    if (name.includes('\0') || path.startsWith('/') || path === '..' || path.startsWith('../')) {
      throw refuse(name, 'leaves the folder');
    }
    return path;
  }

  /** The path for a new thing of this name, with nothing there. */
  async #place(name: string): Promise<string> {
    if (name === '.') throw refuse(name, 'is the folder itself');
    await this.#folder(dirname(name));
    const path = join(this.#root, name);
    if (this.#folders.has(name)) throw refuse(name, 'is a folder and something else');
    await rm(path, { force: true });
    return path;
  }

  async #folder(name: string): Promise<void> {
    if (this.#folders.has(name)) return;
    await this.#folder(dirname(name));
    const path = join(this.#root, name);
    try {
      await mkdir(path, { mode: 0o755 });
    } catch (err) {
      if (!hasCode(err, 'EEXIST')) throw err;
      if (!(await lstat(path)).isDirectory()) throw refuse(name, 'is used as a folder and is none');
    }
    this.#folders.add(name);
  }
}

const refuse = (name: string, why: string): UnikError =>
  new UnikError('archive_invalid', `the name ${JSON.stringify(name)} ${why}`);
