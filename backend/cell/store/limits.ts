import type { Clock } from '../../../core/clock.js';
import type { Log } from '../../../core/log.js';
import { Deadlines } from './deadlines.js';
import type { Entries, Entry } from './entries.js';
import type { Words } from './words.js';

/** Diego's `reserved_expiration_time`. */
const RESERVED_MS = 60_000;

export interface LimitsDeps {
  clock: Clock;
  log: Log;
  words: Pick<Words, 'expired'>;
  /** A reservation that nobody takes into use is given up after this long; default a minute. */
  reserved_ms?: number;
}

/** What ends when its time is over: a reservation that nobody takes into use, a task. Every hint sets it anew. */
export class Limits {
  readonly #deadlines: Deadlines;

  constructor(
    private readonly entries: Entries,
    private readonly deps: LimitsDeps,
    private readonly halt: (guid: string) => void,
  ) {
    this.#deadlines = new Deadlines(deps.clock);
    entries.hints.subscribe((guid) => this.set(guid));
  }

  set(guid: string): void {
    const entry = this.entries.get(guid);
    const { state, running_at } = entry?.view ?? {};
    const limit = entry?.record.order?.timeout_ms ?? 0;
    if (!entry || state === 'initializing' || state === 'completed') this.#deadlines.clear(guid);
    else if (state === 'reserved') {
      const after_ms = this.deps.reserved_ms ?? RESERVED_MS;
      this.#deadlines.set(guid, entry.record.reserved_at + after_ms, () => this.#expire(entry));
    } else if (limit > 0 && running_at !== undefined) {
      this.#deadlines.set(guid, running_at + limit, () => this.#endInTime(entry));
    }
  }

  clear(): void {
    this.#deadlines.clearAll();
  }

  #expire(entry: Entry): void {
    if (entry.view.state !== 'reserved') return;
    this.deps.log.warn({ guid: entry.guid }, 'container.expired');
    this.entries.complete(entry, { failed: true, reason: this.deps.words.expired, retryable: false });
  }

  #endInTime(entry: Entry): void {
    if (entry.view.state === 'completed' || entry.record.stopped) return;
    this.entries.change(entry, { timed_out: true });
    this.halt(entry.guid);
  }
}
