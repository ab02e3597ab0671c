import type { Policy } from '../../../localcf/bbs/index.js';
import type { Times } from '../../interop/diego/conformance/bench.js';
import { SCALED } from '../../interop/diego/conformance/scaled.js';

const NEVER_MS = 3_600_000;

/** Times of a control plane whose 30 s are `unit_ms`. */
export function timesOf(unit_ms: number, patience_ms: number): { quick: Times; quiet: Times } {
  const quick: Times = {
    converge_ms: unit_ms / 4,
    kick_ms: unit_ms / 2,
    stale_ms: unit_ms,
    backoff_ms: unit_ms,
    expire_pending_ms: 4 * unit_ms,
    expire_completed_ms: 3 * unit_ms,
    patience_ms,
  };
  return { quick, quiet: { ...quick, converge_ms: NEVER_MS, kick_ms: NEVER_MS } };
}

/** The policy that goes with `timesOf`. */
export function policyOf(unit_ms: number): Partial<Policy> {
  return {
    staleUnclaimedMs: unit_ms,
    backoffMs: (crashes) => unit_ms * 2 ** (crashes - 3),
    crashResetMs: SCALED.crash_reset_ms,
    giveUpCrashes: SCALED.give_up_crashes,
  };
}
