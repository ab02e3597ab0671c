import type { Clock, Millis } from '../../core/clock.js';

/** undefined: it passed; else why not. */
type Look<F> = (signal: AbortSignal) => Promise<F | undefined>;

export interface StartupOptions {
  clock: Clock;
  interval_ms: number;
  /** Epoch milliseconds; undefined: it may take for ever. */
  deadline: Millis | undefined;
}

/**
 * Looks until the check passes (undefined) or the deadline is past (why the last of how many looks failed). Rejects by
 * the signal.
 */
export async function awaitStartup<F>(
  check: Look<F>,
  { clock, interval_ms, deadline }: StartupOptions,
  signal: AbortSignal,
): Promise<{ failure: F; attempts: number } | undefined> {
  for (let attempts = 1; ; attempts++) {
    signal.throwIfAborted();
    const failure = await check(signal);
    if (failure === undefined) return undefined;
    const left = deadline === undefined ? Infinity : deadline - clock.now();
    if (left <= 0) return { failure, attempts };
    await clock.sleep(Math.min(interval_ms, left), signal);
  }
}

export interface WatchOptions {
  clock: Clock;
  interval_ms: number;
  /** So many failures in a row count. */
  failures: number;
  passing: boolean;
}

/**
 * Looks at every interval, for ever, and gives each change: undefined for passing, else why it fails. One success
 * makes it pass, `failures` failures in a row make it fail. Rejects by the signal.
 */
export async function* watchChanges<F>(
  check: Look<F>,
  { clock, interval_ms, failures, passing }: WatchOptions,
  signal: AbortSignal,
): AsyncGenerator<F | undefined> {
  let inARow = 0;
  // Not passing yet: look at once, traffic waits for it.
  if (passing) await clock.sleep(interval_ms, signal);
  for (;;) {
    const failure = await check(signal);
    inARow = failure === undefined ? 0 : inARow + 1;
    if (!passing && failure === undefined) {
      passing = true;
      yield undefined;
    } else if (passing && failure !== undefined && inARow >= failures) {
      passing = false;
      yield failure;
    }
    await clock.sleep(interval_ms, signal);
  }
}
