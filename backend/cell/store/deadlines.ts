import type { Clock } from '../../../core/clock.js';

/** At most one time for each container at which something is to happen, if nothing else does before. */
export class Deadlines {
  readonly #timers = new Map<string, AbortController>();

  constructor(private readonly clock: Clock) {}

  /** In place of one that was set before. `at`: epoch milliseconds. */
  set(guid: string, at: number, what: () => void): void {
    this.clear(guid);
    const timer = new AbortController();
    this.#timers.set(guid, timer);
    const due = (): void => {
      if (this.#timers.get(guid) === timer) this.#timers.delete(guid);
      what();
    };
    this.clock.sleep(Math.max(0, at - this.clock.now()), timer.signal).then(due, () => undefined);
  }

  clear(guid: string): void {
    this.#timers.get(guid)?.abort();
    this.#timers.delete(guid);
  }

  clearAll(): void {
    for (const guid of [...this.#timers.keys()]) this.clear(guid);
  }
}
