import type { Clock } from './clock.js';
import { UnikError } from './errors.js';

export interface PollOptions {
  clock: Clock;
  timeout_ms: number;
  interval_ms: number;
  signal?: AbortSignal | undefined;
  /** Named in the timeout error: "timed out after N ms waiting for WHAT". */
  what: string;
}

/** Calls `attempt` until it gives something other than undefined. Throws `timeout`, or what `attempt` throws. */
export async function poll<T>(attempt: () => Promise<T | undefined>, options: PollOptions): Promise<T> {
  const deadline = options.clock.now() + options.timeout_ms;
  for (;;) {
    options.signal?.throwIfAborted();
    const value = await attempt();
    if (value !== undefined) return value;
    if (options.clock.now() >= deadline) {
      throw new UnikError('timeout', `timed out after ${options.timeout_ms} ms waiting for ${options.what}`);
    }
    await options.clock.sleep(options.interval_ms, options.signal);
  }
}

/** Until the signal fires; the first time after one interval. What the job throws ends it. */
export async function repeat(
  { clock, every_ms, signal }: { clock: Clock; every_ms: number; signal: AbortSignal },
  job: () => Promise<void> | void,
): Promise<void> {
  const pause = (): Promise<boolean> =>
    clock.sleep(every_ms, signal).then(
      () => true,
      () => false,
    );
  while (await pause()) await job();
}
