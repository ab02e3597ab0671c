import type { Millis } from '../../core/clock.js';
import type { Loss, Source } from './envelope.js';

/** Lines of one source that are missing, or may be, and of which its readers do not know yet. */
export interface Untold extends Loss {
  source: Source;
  /** Time of the newest of them. */
  at: Millis;
}

/** Missing lines, counted by source. */
export class LossCount {
  readonly #of = new Map<string, Untold>();

  add(source: Source, at: Millis, { dropped, unconfirmed }: Loss): void {
    const had = this.#of.get(source.key);
    if (had) {
      if (at > had.at) had.at = at;
      had.dropped += dropped;
      had.unconfirmed += unconfirmed;
      return;
    }
    this.#of.set(source.key, { source, at, dropped, unconfirmed });
  }

  addAll(others: LossCount): void {
    for (const { source, at, ...loss } of others.#of.values()) this.add(source, at, loss);
  }

  keys(): Iterable<string> {
    return this.#of.keys();
  }

  take(key: string): Untold | undefined {
    const had = this.#of.get(key);
    this.#of.delete(key);
    return had;
  }
}

/** Decides when a source is told of its losses: at most once in `interval_ms`. */
export class Telling {
  readonly untold = new LossCount();
  readonly #told = new Map<string, Millis>();

  constructor(private readonly interval_ms: number) {}

  /** What is to be told now, or, with `all`, what there is; it is no longer untold then. */
  take(now: Millis, all = false): Untold[] {
    for (const [key, at] of this.#told) if (now - at >= this.interval_ms) this.#told.delete(key);
    const due = [...this.untold.keys()].filter((key) => all || !this.#told.has(key));
    return due.flatMap((key) => {
      const untold = this.untold.take(key);
      this.#told.set(key, now);
      return untold ? [untold] : [];
    });
  }

  /** Milliseconds until `take` gives something; Infinity: nothing is untold. */
  due(now: Millis): number {
    let wait = Infinity;
    for (const key of this.untold.keys()) {
      const told = this.#told.get(key);
      wait = Math.min(wait, told === undefined ? 0 : Math.max(0, told + this.interval_ms - now));
    }
    return wait;
  }
}
