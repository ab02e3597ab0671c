import type { ExitView, RestartPolicy } from '../schema/instances.js';

/** A machine that ran at least so long was a success: the next restart waits the shortest time again. */
export const STEADY_MS = 10_000;
const FIRST_MS = 100;
const LONGEST_MS = 60_000;

export interface Ending {
  exit: ExitView;
  /** Somebody asked for the stop. */
  stopped: boolean;
  /** Restarts by policy since somebody last started it. */
  restarts: number;
  /** Of these, how many in a row ran less than STEADY_MS. */
  quick: number;
}

/** Milliseconds until the next start, or undefined when it stays down. Docker's policies, Docker's back-off. */
export function restartDelay(policy: RestartPolicy, ending: Ending): number | undefined {
  if (ending.stopped || policy.policy === 'no') return undefined;
  if (policy.policy === 'on-failure') {
    if (ending.exit.status === 0) return undefined;
    if (policy.max_retries !== undefined && ending.restarts >= policy.max_retries) return undefined;
  }
  return Math.min(FIRST_MS * 2 ** ending.quick, LONGEST_MS);
}

/** What a shell would show as `$?` for this end. */
export function exitStatus({ reason, code }: { reason: ExitView['reason']; code?: number }): number {
  if (reason === 'exited' || reason === 'stopped') return code ?? 0;
  // It was ended because something is wrong: that the application then ended well does not mend it.
  if (code !== undefined && code !== 0) return code;
  return reason === 'oom' || reason === 'killed' ? 137 : 125;
}
