import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../core/clock.js';
import { UnikError } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import type { LogQuery } from '../executor.js';
import type { Key, LogLine } from '../model.js';
import { checkedName } from '../records.js';
import { readLog, type Growth } from './log-reader.js';
import { LogFile, type LogLimits } from './log-writer.js';

export const LOG_LIMITS: LogLimits = { file_bytes: 5 * 1024 * 1024, files: 2, batch_ms: 50 };

/** A log that is being written: it grows until every hold is released. */
export interface LogHold {
  readonly file: LogFile;
  /** Writes what is pending and forgets this machine; the last one out closes the file and ends the followers. */
  release(): Promise<void>;
}

/** The logs of a cell, bounded on disk, one folder per log id. */
export interface Logs {
  hold(logId: string, key: Key): Promise<LogHold>;
  read(logId: string, query: LogQuery, signal: AbortSignal): AsyncIterable<LogLine>;
  /** Throws `conflict` while it is held. */
  remove(logId: string): Promise<void>;
}

export function openLogs(root: string, limits: LogLimits, clock: Clock, log: Log): Logs {
  const open = new Map<string, OpenLog>();
  const dirOf = (logId: string): string => join(root, checkedName('log_id', logId));
  const held = (logId: string): boolean => (open.get(logId)?.holds ?? 0) > 0;

  return {
    async hold(logId, key) {
      const dir = dirOf(logId);
      const entry = open.get(logId) ?? new OpenLog((grown) => LogFile.open(dir, limits, clock, log, grown));
      open.set(logId, entry);
      const file = await entry.acquire();
      let released: Promise<void> | undefined;
      const release = async (): Promise<void> => {
        if ((await entry.release(key)) && open.get(logId) === entry) open.delete(logId);
      };
      return { file, release: () => (released ??= release()) };
    },
    async *read(logId, query, signal) {
      const entry = open.get(logId);
      await entry?.flush();
      yield* readLog(dirOf(logId), query, entry ?? ended, signal);
    },
    async remove(logId) {
      if (held(logId)) throw new UnikError('conflict', `log ${logId} is still being written`);
      await rm(dirOf(logId), { recursive: true, force: true });
    },
  };
}

const ended: Growth = { version: () => 0, grows: () => false, changed: async () => undefined };

/** Counts holds, opens the file with the first, closes it with the last, and wakes followers. */
class OpenLog implements Growth {
  holds = 0;
  #version = 0;
  readonly #waiting = new Set<() => void>();
  /** Opening and closing follow one another. */
  #file: Promise<LogFile | undefined> = Promise.resolve(undefined);

  constructor(private readonly open: (written: () => void) => Promise<LogFile>) {}

  async acquire(): Promise<LogFile> {
    this.holds++;
    const file = this.#file.then((known) => known ?? this.open(() => this.#grown()));
    // A failed opening is the caller's to hear of; the next hold tries again.
    this.#file = file.catch(() => undefined);
    try {
      return await file;
    } catch (err) {
      this.holds--;
      throw err;
    }
  }

  /** True when that was the last hold. */
  async release(key: Key): Promise<boolean> {
    await this.flush();
    (await this.#file)?.stored.delete(key);
    this.holds--;
    if (this.holds > 0) return false;
    const closed = this.#file.then(async (file) => {
      if (this.holds > 0) return file;
      await file?.close();
      return undefined;
    });
    this.#file = closed;
    await closed;
    this.#grown();
    return this.holds === 0;
  }

  async flush(): Promise<void> {
    await (await this.#file)?.flush();
  }

  version(): number {
    return this.#version;
  }

  grows(): boolean {
    return this.holds > 0;
  }

  async changed(seen: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#version !== seen) return;
    await new Promise<void>((resolve, reject) => {
      const done = (): void => {
        this.#waiting.delete(done);
        signal.removeEventListener('abort', abort);
        resolve();
      };
      const abort = (): void => {
        this.#waiting.delete(done);
        reject(signal.reason as Error);
      };
      this.#waiting.add(done);
      signal.addEventListener('abort', abort, { once: true });
    });
  }

  #grown(): void {
    this.#version++;
    for (const done of this.#waiting) done();
  }
}
