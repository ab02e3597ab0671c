import { setMaxListeners } from 'node:events';
import type { Log } from '../../../core/log.js';

/** Tells that something of a container has changed: to those who look at all, and to those who wait for one. */
export class Hints {
  readonly #listeners = new Set<(guid: string) => void>();
  readonly #waiters = new Map<string, Set<() => void>>();

  /** Waiting ends, by rejection, with `closed`. */
  constructor(
    private readonly closed: AbortSignal,
    private readonly log: Log,
  ) {
    // Everyone who waits listens to it.
    setMaxListeners(0, closed);
  }

  subscribe(listener: (guid: string) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  tell(guid: string): void {
    for (const wake of [...(this.#waiters.get(guid) ?? [])]) wake();
    for (const listener of this.#listeners) {
      try {
        listener(guid);
      } catch (err) {
        this.log.error({ err }, 'containers.listener-failed');
      }
    }
  }

  /** Resolves when `isSo` is true, looked at now and after each hint; rejects when we close. */
  until(guid: string, isSo: () => boolean): Promise<void> {
    const { closed } = this;
    return new Promise((resolve, reject) => {
      const waiting = this.#waiters.get(guid) ?? new Set();
      this.#waiters.set(guid, waiting);
      const look = (): void => {
        if (!closed.aborted && !isSo()) return;
        waiting.delete(look);
        if (waiting.size === 0) this.#waiters.delete(guid);
        closed.removeEventListener('abort', look);
        if (closed.aborted) reject(closed.reason as Error);
        else resolve();
      };
      waiting.add(look);
      closed.addEventListener('abort', look);
      look();
    });
  }
}
