import type { Clock } from '../../../core/clock.js';
import { hasStatus, isUncertain } from './errors.js';

export interface Making<T> {
  clock: Clock;
  signal: AbortSignal;
  order: () => Promise<T>;
  /** What an order of ours has made already. */
  find: () => Promise<T | undefined>;
}

const TRIES = 4;

/**
 * OpenStack knows no token that keeps one order from making two. So where nobody knows the end of an order, or another
 * has been quicker (409), what it made is looked for before it is given again.
 */
export async function makeOnce<T>({ clock, signal, order, find }: Making<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted();
    try {
      return await order();
    } catch (err) {
      if (signal.aborted || !(isUncertain(err) || hasStatus(err, 409))) throw err;
      await clock.sleep(500 * attempt, signal);
      const made = await find();
      if (made !== undefined) return made;
      if (attempt >= TRIES) throw err;
    }
  }
}
