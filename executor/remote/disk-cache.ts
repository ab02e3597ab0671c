import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../../core/errors.js';
import { SharedWork } from '../../core/shared-work.js';
import { STUB, writeDisk } from '../disks/disk.js';
import type { DiskBoot } from '../guests/guest.js';
import type { Driver, RawDisk } from './driver.js';

/** Disks that were made for machines elsewhere: each once, kept while they are used often enough. */
export class DiskCache {
  readonly #work = new SharedWork<RawDisk>();
  readonly #digests = new Map<string, Promise<string>>();

  /** `keep`: so many disks stay, those used last. */
  constructor(
    private readonly dir: string,
    private readonly keep = 4,
  ) {}

  async get(
    boot: DiskBoot,
    options: { configFrom: string; firmware: Driver['firmware']; scratch_mb: number },
    signal: AbortSignal,
  ): Promise<RawDisk> {
    const parts = await Promise.all([boot.kernel, boot.initrd, boot.root].map((path) => this.#digest(path)));
    const cmdline = `${boot.cmdline} unik.config=${options.configFrom}`;
    const facts = JSON.stringify([1, parts, cmdline, options.firmware, options.scratch_mb]);
    const digest = createHash('sha256').update(facts).digest('hex');
    // No disk is made for a machine that fetches its parts.
    if (options.firmware === 'network') return { path: boot.root, digest };
    return this.#work.run(digest, signal, async (enough) => {
      const path = join(this.dir, `${digest}.raw`);
      if (!(await exists(path))) {
        await mkdir(this.dir, { recursive: true, mode: 0o700 });
        const uefi = options.firmware === 'uefi' ? { stub: STUB } : {};
        const { kernel, initrd, root } = boot;
        const order = { kernel, initrd, root, cmdline, scratch_mb: options.scratch_mb, seed: digest, ...uefi };
        await writeDisk(order, path, enough);
        await this.#prune(path);
      }
      const now = new Date();
      await utimes(path, now, now);
      return { path, digest };
    });
  }

  async #digest(path: string): Promise<string> {
    const { size, mtimeMs, ino } = await stat(path);
    const name = `${path} ${size} ${mtimeMs} ${ino}`;
    const known = this.#digests.get(name);
    if (known) return known;
    const reading = digestOf(path);
    this.#digests.set(name, reading);
    reading.catch(() => this.#digests.delete(name));
    return reading;
  }

  async #prune(except: string): Promise<void> {
    const names = (await readdir(this.dir)).map((name) => join(this.dir, name));
    const disks = await Promise.all(names.map(async (path) => ({ path, at: (await stat(path)).mtimeMs })));
    const old = disks.filter(({ path }) => path !== except).sort((a, b) => b.at - a.at);
    for (const { path } of old.slice(this.keep - 1)) await rm(path, { force: true });
  }
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (err) {
    if (hasCode(err, 'ENOENT')) return false;
    throw err;
  }
}
