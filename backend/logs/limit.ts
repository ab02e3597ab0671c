import type { Millis } from '../../core/clock.js';

/** `notice`: the line that went over is dropped, and the reader is told. */
export type Verdict = 'pass' | 'drop' | 'notice';

/** Everything is dropped for this long after the limit was passed. */
const SILENCE_MS = 1_000;

/**
 * Judges the lines of one container by `bytes_per_second`: a bucket that fills at that rate and holds one second of
 * it. -1: no limit; 0: nothing passes and nobody is told. As Diego's executor (`log_streamer`) does.
 */
export function createRateLimit(bytesPerSecond: number): (bytes: number, at: Millis) => Verdict {
  if (bytesPerSecond < 0) return () => 'pass';
  if (bytesPerSecond === 0) return () => 'drop';
  let tokens = bytesPerSecond;
  let filledAt: Millis | undefined;
  let silentUntil = -Infinity;
  return (bytes, at) => {
    if (at < silentUntil) return 'drop';
    tokens = Math.min(bytesPerSecond, tokens + (Math.max(0, at - (filledAt ?? at)) * bytesPerSecond) / 1000);
    filledAt = at;
    if (bytes <= tokens) {
      tokens -= bytes;
      return 'pass';
    }
    silentUntil = at + SILENCE_MS;
    return 'notice';
  };
}
