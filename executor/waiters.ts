import { UnikError } from '../core/errors.js';
import type { Instance, Key } from './model.js';

interface Waiter {
  changed(instance: Instance): void;
  removed(): void;
}

/** Those who wait for an instance to become something. */
export class Waiters {
  readonly #waiting = new Map<Key, Set<Waiter>>();

  /** Resolves as soon as `test` holds, at once if it does for `now`. Rejects when it is removed, or by the signal. */
  async until(now: Instance, test: (instance: Instance) => boolean, signal: AbortSignal): Promise<Instance> {
    signal.throwIfAborted();
    if (test(now)) return now;
    const { key, name } = now.spec;
    const waiting = this.#waiting.get(key) ?? new Set();
    this.#waiting.set(key, waiting);
    return new Promise<Instance>((resolve, reject) => {
      const end = (): void => {
        waiting.delete(waiter);
        if (waiting.size === 0 && this.#waiting.get(key) === waiting) this.#waiting.delete(key);
        signal.removeEventListener('abort', abort);
      };
      const abort = (): void => {
        end();
        reject(signal.reason as Error);
      };
      const waiter: Waiter = {
        changed(instance) {
          if (!test(instance)) return;
          end();
          resolve(instance);
        },
        removed() {
          end();
          reject(new UnikError('not_found', `${name} was removed meanwhile`));
        },
      };
      waiting.add(waiter);
      signal.addEventListener('abort', abort, { once: true });
    });
  }

  changed(instance: Instance): void {
    for (const waiter of [...(this.#waiting.get(instance.spec.key) ?? [])]) waiter.changed(instance);
  }

  removed(key: Key): void {
    for (const waiter of [...(this.#waiting.get(key) ?? [])]) waiter.removed();
  }
}
