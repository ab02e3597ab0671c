/** When a crashed LRP comes back (bbs models/restart_calculator.go). */
import type { Lrp } from '../model.js';
import type { Policy } from './policy.js';

/** The count after one more crash of `row`, which has been in its state for `age_ms`. */
export function crashCount(row: Lrp, age_ms: number, policy: Policy): number {
  return row.state === 'RUNNING' && age_ms > policy.crashResetMs ? 1 : row.crash_count + 1;
}

export const restartsAtOnce = (crashes: number, policy: Policy): boolean => crashes <= policy.immediateRestarts;

/** Whether a CRASHED row, `age_ms` old, is to be started again now. */
export function restartIsDue(row: Lrp, age_ms: number, policy: Policy): boolean {
  if (row.crash_count >= policy.giveUpCrashes) return false;
  return restartsAtOnce(row.crash_count, policy) || age_ms >= policy.backoffMs(row.crash_count);
}
