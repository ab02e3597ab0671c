import { setTimeout as delay } from 'node:timers/promises';

/** Milliseconds since the Unix epoch. */
export type Millis = number;

/** Time is passed in, so that tests turn it by hand. */
export interface Clock {
  now(): Millis;
  /** Resolves after `ms`; rejects with an AbortError when the signal fires first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: async (ms, signal) => {
    await delay(ms, undefined, signal ? { signal } : {});
  },
};
