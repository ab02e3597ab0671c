import type { Clock } from '../../core/clock.js';
import { messageOf } from '../../core/errors.js';
import { readJsonFile, writeJsonFile } from '../../core/json-file.js';
import type { Log } from '../../core/log.js';
import type { Phase } from '../../executor/model.js';

/** How much of a container's log went out. */
export interface Cursor {
  /** Time of the last line that did, and how many lines of that time did. */
  at: number;
  count: number;
  /** The last state that was told in lines. */
  told: Phase;
}

const LAZY_MS = 1_000;

/**
 * The cursors of all containers in one file, written at most once a second: a crash repeats the lines of the last
 * moment at worst.
 */
export class Cursors {
  readonly #cursors = new Map<string, Cursor>();
  readonly #closed = new AbortController();
  #writing: Promise<void> | undefined;

  constructor(
    private readonly path: string,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  /** Without the file, or with a broken one, every log is told from its beginning. */
  async load(): Promise<void> {
    try {
      const found = (await readJsonFile(this.path)) as Record<string, Cursor> | undefined;
      for (const [guid, cursor] of Object.entries(found ?? {})) this.#cursors.set(guid, cursor);
    } catch (err) {
      this.log.warn({ file: this.path, reason: messageOf(err) }, 'cursors.broken');
    }
  }

  get(guid: string): Cursor | undefined {
    return this.#cursors.get(guid);
  }

  set(guid: string, cursor: Cursor): void {
    this.#cursors.set(guid, cursor);
    this.#writing ??= this.#write();
  }

  forget(guid: string): void {
    if (this.#cursors.delete(guid)) this.#writing ??= this.#write();
  }

  /** Writes what is pending. */
  async close(): Promise<void> {
    this.#closed.abort(new Error('unik is closing'));
    await this.#writing;
  }

  async #write(): Promise<void> {
    // Closing cuts the wait short.
    await this.clock.sleep(LAZY_MS, this.#closed.signal).catch(() => undefined);
    this.#writing = undefined;
    try {
      await writeJsonFile(this.path, Object.fromEntries(this.#cursors));
    } catch (err) {
      this.log.warn({ file: this.path, reason: messageOf(err) }, 'cursors.not-saved');
    }
  }
}
