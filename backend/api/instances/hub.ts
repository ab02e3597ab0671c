import { UnikError } from '../../../core/errors.js';

/** Listeners of one kind of thing, and waiting for a state without polling. */
export class Hub<T> {
  readonly #listeners = new Set<(value: T) => void>();

  subscribe(listener: (value: T) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  emit(value: T): void {
    for (const listener of [...this.#listeners]) listener(value);
  }

  /** Looks now and after each emit, until `look` gives something. Rejects with what `look` throws, or by the signal. */
  until<R>(look: () => R | undefined, signal: AbortSignal): Promise<R> {
    return new Promise<R>((resolve, reject) => {
      const end = (): void => {
        unsubscribe();
        signal.removeEventListener('abort', onAbort);
      };
      const check = (): void => {
        try {
          const found = look();
          if (found === undefined) return;
          end();
          resolve(found);
        } catch (err) {
          end();
          reject(err instanceof Error ? err : new UnikError('internal', String(err)));
        }
      };
      const onAbort = (): void => {
        end();
        reject(new UnikError('timeout', 'the wait was given up'));
      };
      const unsubscribe = this.subscribe(check);
      signal.addEventListener('abort', onAbort);
      if (signal.aborted) onAbort();
      else check();
    });
  }
}

/** Values as they come, from now on; the signal ends it after those that came before it. A reader that lags by `limit` values is ended with an error. */
export async function* stream<T>(
  subscribe: (listener: (value: T) => void) => () => void,
  signal: AbortSignal,
  limit = 10_000,
): AsyncGenerator<T> {
  const queue: T[] = [];
  let wake: () => void = () => undefined;
  const unsubscribe = subscribe((value) => {
    queue.push(value);
    wake();
  });
  const onAbort = (): void => wake();
  signal.addEventListener('abort', onAbort);
  try {
    for (;;) {
      if (queue.length > limit) throw new UnikError('timeout', `the reader lags by more than ${limit} events`);
      const next = queue.shift();
      if (next !== undefined) yield next;
      else if (signal.aborted) return;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    unsubscribe();
    signal.removeEventListener('abort', onAbort);
  }
}
