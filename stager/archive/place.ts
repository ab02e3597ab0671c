import { posix } from 'node:path';
import { Transform } from 'node:stream';
import { UnikError } from '../../core/errors.js';

export interface ArchiveLimits {
  /** Bytes of all files together, unpacked. */
  bytes: number;
  entries: number;
}

/** More than Cloud Foundry's own limit for an application (1 GB), so that buildpacks with caches fit too. */
export const DEFAULT_LIMITS: ArchiveLimits = { bytes: 4 * 2 ** 30, entries: 500_000 };

/**
 * Decides, entry by entry, where an archive may write: inside its folder, never through a symlink that it brought,
 * never more than the limits. Pure but for its memory.
 */
export class Unpacking {
  readonly #limits: ArchiveLimits;
  readonly #links = new Set<string>();
  #bytes = 0;
  #entries = 0;

  constructor(limits: ArchiveLimits = DEFAULT_LIMITS) {
    this.#limits = limits;
  }

  /** The entry's path inside the folder, `''` for the folder itself. Throws archive_unsafe, archive_too_large. */
  place(name: string): string {
    if (++this.#entries > this.#limits.entries) {
      throw new UnikError('archive_too_large', `the archive has more than ${this.#limits.entries} entries`);
    }
    const path = posix.normalize(name.replace(/\/+$/, ''));
    if (name.startsWith('/') || name.includes('\\') || name.includes('\0') || /^\.\.(\/|$)/.test(path)) {
      throw new UnikError('archive_unsafe', `the archive has an entry outside its folder: ${JSON.stringify(name)}`);
    }
    const parts = path.split('/');
    const through = parts.map((_, i) => parts.slice(0, i + 1).join('/')).find((part) => this.#links.has(part));
    if (through !== undefined) {
      throw new UnikError('archive_unsafe', `the archive writes through its own symlink ${JSON.stringify(through)}`);
    }
    return path === '.' ? '' : path;
  }

  /** Takes note of a symlink at `path`. Throws archive_unsafe when it leads outside. */
  link(path: string, target: string): void {
    const end = posix.normalize(posix.join(posix.dirname(path), target));
    if (target.startsWith('/') || /^\.\.(\/|$)/.test(end)) {
      throw new UnikError(
        'archive_unsafe',
        `the symlink ${JSON.stringify(path)} leads outside the archive: ${JSON.stringify(target)}`,
      );
    }
    this.#links.add(path);
  }

  /** Counts what really comes, whatever the archive says about it. Throws archive_too_large. */
  take(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.#limits.bytes) {
      const most = Math.floor(this.#limits.bytes / 1_000_000);
      throw new UnikError('archive_too_large', `the archive holds more than ${most} MB`);
    }
  }

  /** A stream through which an entry's bytes are counted. */
  counter(): Transform {
    return new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        try {
          this.take(chunk.length);
          done(null, chunk);
        } catch (err) {
          done(err as Error);
        }
      },
    });
  }
}
