import { statfs } from 'node:fs/promises';
import { run } from '../../core/process.js';
import { namelessBytes } from './usage.js';

/** Bytes that a file system may lose without another look into the folders. */
const UNNOTICED_BYTES = 4 * 1024 * 1024;
/** Whatever the limits say, a job does not take the last of a disk that others need. */
const RESERVE = { bytes: 256 * 1024 * 1024, share: 0.02 };

/**
 * Measures what writable folders hold. Looking into them costs; a file system's free space tells for nothing whether
 * they can have grown.
 */
export class DiskMeter {
  /** Free bytes of each file system when the folders were last looked into, and what they held. */
  #last: { free: number; held: number } | undefined;

  constructor(
    readonly folders: readonly string[],
    readonly limit_bytes: number,
  ) {}

  /** True when the folders hold more than they may, or the file system is all but full. */
  async isOver(first: number | undefined): Promise<boolean> {
    if (this.folders.length === 0) return false;
    const free = await this.#free();
    if (free.isLow) return true;
    const room = this.#last ? this.limit_bytes - this.#last.held : 0;
    if (this.#last && this.#last.free - free.bytes < Math.max(UNNOTICED_BYTES, room / 4) && first !== undefined)
      return false;
    const held = await this.#held(first);
    this.#last = { free: free.bytes, held };
    return held > this.limit_bytes;
  }

  async #free(): Promise<{ bytes: number; isLow: boolean }> {
    const found = await Promise.all(this.folders.map((folder) => statfs(folder)));
    return {
      bytes: found.reduce((total, { bfree, bsize }) => total + bfree * bsize, 0),
      isLow: found.some(({ bavail, blocks, bsize, ffree, files }) => {
        const floor = Math.min(RESERVE.bytes, RESERVE.share * blocks * bsize);
        return bavail * bsize < floor || (files > 0 && ffree < RESERVE.share * files);
      }),
    };
  }

  /** `du` follows no links and cannot be led out of the folder while it walks. */
  async #held(first: number | undefined): Promise<number> {
    // It complains of what vanishes under its eyes, and counts the rest.
    const script = 'du -sxc --block-size=1 -- "$@" 2>/dev/null | tail -n 1';
    const { stdout } = await run('sh', ['-c', script, 'sh', ...this.folders], { timeout_ms: DU_MS });
    const nameless = first === undefined ? 0 : (await namelessBytes(first)).disk;
    return Number(stdout.split('\t')[0]) + nameless;
  }
}

const DU_MS = 60_000;
