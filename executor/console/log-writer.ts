import { chmod, mkdir, open, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../core/clock.js';
import type { Log } from '../../core/log.js';
import type { Key, LogLine, StreamName } from '../model.js';
import type { ConsolePosition } from '../providers/provider.js';
import { fileName, listFiles, resume, type FileHead, type StoredLine } from './log-files.js';

export interface LogLimits {
  /** A file is followed by a new one when it has this many bytes. */
  file_bytes: number;
  /** So many files are kept. */
  files: number;
  /** Lines are gathered this long before they are written. */
  batch_ms: number;
}

/** A writer waits for the disk when this much is not yet written. */
const MAX_PENDING_BYTES = 256 * 1024;
const RETRY_MS = 1_000;

/**
 * The one writer of a log. Lines are numbered, gathered for a moment and appended in order. Nobody's memory grows:
 * `append` waits for a slow disk, and the oldest file goes when there are too many.
 */
export class LogFile {
  #pending: string[] = [];
  #pendingBytes = 0;
  #reached = new Map<Key, ConsolePosition>();
  #flushing: Promise<void> | undefined;
  #handle: FileHandle | undefined;
  #bytes = 0;

  private constructor(
    private readonly dir: string,
    private next: number,
    /** How far each machine's output is stored. */
    readonly stored: Map<Key, ConsolePosition>,
    private readonly limits: LogLimits,
    private readonly clock: Clock,
    private readonly log: Log,
    /** Called after each write. */
    private readonly written: () => void,
  ) {}

  static async open(dir: string, limits: LogLimits, clock: Clock, log: Log, written: () => void): Promise<LogFile> {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    await chmod(dir, 0o700);
    const { next, positions, file } = await resume(dir);
    const self = new LogFile(dir, next, positions, limits, clock, log, written);
    if (file) {
      self.#handle = await open(join(dir, file.name), 'a', 0o600);
      // A crash may have left half a line.
      await self.#handle.truncate(file.bytes);
      self.#bytes = file.bytes;
    }
    return self;
  }

  /** Resolves at once unless the disk is behind. */
  async append(key: Key, lines: readonly (LogLine & { end: number; from?: StreamName })[]): Promise<void> {
    for (const line of lines) {
      const { at, stream, text, end, from = stream } = line;
      const stored: StoredLine = { n: this.next++, at, stream, text, key, end, ...(from === stream ? {} : { from }) };
      const json = `${JSON.stringify(stored)}\n`;
      this.#pending.push(json);
      this.#pendingBytes += json.length;
      this.#reached.set(key, { ...this.#reached.get(key), [from]: end });
    }
    if (this.#pending.length === 0) return;
    const flushed = this.#flushSoon();
    if (this.#pendingBytes > MAX_PENDING_BYTES) await flushed;
  }

  /** Resolves when all that was appended before is written. */
  async flush(): Promise<void> {
    while (this.#flushing || this.#pending.length > 0) await this.#flushSoon();
  }

  async close(): Promise<void> {
    await this.flush();
    await this.#handle?.close();
    this.#handle = undefined;
  }

  #flushSoon(): Promise<void> {
    this.#flushing ??= this.#gather().finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  async #gather(): Promise<void> {
    await this.clock.sleep(this.limits.batch_ms);
    const text = this.#pending.join('');
    const reached = this.#reached;
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#reached = new Map();
    while (!(await this.#write(text))) await this.clock.sleep(RETRY_MS);
    for (const [key, position] of reached) this.stored.set(key, { ...this.stored.get(key), ...position });
    this.written();
  }

  /** False: the disk is full or worse, and nothing was written. */
  async #write(text: string): Promise<boolean> {
    try {
      if (!this.#handle || this.#bytes >= this.limits.file_bytes) await this.#rotate(text);
      const handle = this.#handle;
      if (!handle) return false;
      await handle.appendFile(text);
      this.#bytes = (await handle.stat()).size;
      return true;
    } catch (err) {
      this.log.error({ err, dir: this.dir }, 'log.write-failed');
      await this.#handle?.truncate(this.#bytes).catch((err2: unknown) => {
        this.log.error({ err: err2, dir: this.dir }, 'log.truncate-failed');
      });
      return false;
    }
  }

  /** A new file for `text`, whose first line names it. */
  async #rotate(text: string): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
    const first = (JSON.parse(text.slice(0, text.indexOf('\n'))) as StoredLine).n;
    const head: FileHead = { positions: Object.fromEntries(this.stored) };
    this.#handle = await open(join(this.dir, fileName(first)), 'a', 0o600);
    await this.#handle.truncate(0);
    this.#bytes = 0;
    await this.#handle.appendFile(`${JSON.stringify(head)}\n`);
    for (const old of (await listFiles(this.dir)).slice(0, -this.limits.files)) {
      await rm(join(this.dir, old), { force: true });
    }
  }
}
