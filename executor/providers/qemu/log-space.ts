import { join } from 'node:path';
import { isAlive } from '../../../core/process.js';
import { run } from '../../../core/process.js';
import type { StreamName } from '../../model.js';
import type { ConsolePosition } from '../provider.js';
import { STREAM_FILES } from './console.js';
import type { MachineFolder, MachineRecord } from './record.js';

/** Given back to the disk in steps of this size. */
const STEP = 1024 * 1024;
/** How far a console may run ahead of what is stored; then the guest's writes wait, as at a full pipe. */
const AHEAD = 256 * 1024 * 1024;

/**
 * Keeps console files small on disk without changing their length, so that positions stay true: stored blocks are
 * punched out at the front, and QEMU's file size limit moves on at the back.
 */
export class LogSpace {
  readonly #punched = new Map<string, number>();
  readonly #limits = new Map<string, number>();

  /** Bytes that QEMU may have in one file at first; no smaller than its scratch disk. */
  limit(record: Pick<MachineRecord, 'scratch_bytes'>): number {
    return Math.max(record.scratch_bytes, AHEAD);
  }

  async stored(record: MachineRecord, folder: MachineFolder, upTo: ConsolePosition): Promise<void> {
    for (const [stream, file] of Object.entries(STREAM_FILES) as [StreamName, string][]) {
      await this.#punch(join(folder.vm, file), upTo[stream] ?? 0);
    }
    const furthest = Math.max(0, ...Object.values(upTo));
    const wanted = furthest + AHEAD;
    const limit = this.#limits.get(folder.path) ?? this.limit(record);
    if (wanted < limit + AHEAD / 4 || !record.qemu || !(await isAlive(record.qemu))) return;
    await run('prlimit', ['--pid', String(record.qemu.pid), `--fsize=${wanted}:unlimited`]);
    this.#limits.set(folder.path, wanted);
  }

  forget(folder: MachineFolder): void {
    this.#limits.delete(folder.path);
    for (const file of Object.values(STREAM_FILES)) this.#punched.delete(join(folder.vm, file));
  }

  async #punch(path: string, upTo: number): Promise<void> {
    const start = this.#punched.get(path) ?? 0;
    const end = Math.floor(upTo / STEP) * STEP;
    if (end <= start) return;
    await run('fallocate', ['--punch-hole', '--offset', String(start), '--length', String(end - start), path]);
    this.#punched.set(path, end);
  }
}
