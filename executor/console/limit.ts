import type { Millis } from '../../core/clock.js';

/** `notice`: the first line dropped in its second; tell the reader that lines are missing. */
export type Verdict = 'pass' | 'drop' | 'notice';

/** Judges lines by a bucket that fills at `bytesPerSecond` and holds one second's worth, as Diego's executor does. */
export function createLimit(bytesPerSecond: number): (bytes: number, at: Millis) => Verdict {
  let tokens = bytesPerSecond;
  let filledAt: Millis | undefined;
  let noticedAt = -Infinity;
  return (bytes, at) => {
    tokens = Math.min(bytesPerSecond, tokens + ((at - (filledAt ?? at)) * bytesPerSecond) / 1000);
    filledAt = at;
    if (bytes <= tokens) {
      tokens -= bytes;
      return 'pass';
    }
    if (at - noticedAt < 1000) return 'drop';
    noticedAt = at;
    return 'notice';
  };
}
