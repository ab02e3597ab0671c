import { prepareGround } from '../../interop/diego/conformance/bench.js';
import { describeCases } from '../../interop/diego/conformance/run.js';
import { CASES } from '../../interop/diego/conformance/table.js';
import { startEmbeddedDiego } from '../../support/diego/embedded.js';

/** A tenth of Diego's constants, so that this is over soon; the group `diego` of the interop tests has them at full length. */
const SHORT = { stale_ms: 3_000, backoff_ms: 3_000, patience_ms: 5_000 };
const QUICK = { converge_ms: 500, kick_ms: 1_000, expire_pending_ms: 6_000, expire_completed_ms: 6_000 };
const NEVER_MS = 3_600_000;
const policy = {
  staleUnclaimedMs: SHORT.stale_ms,
  backoffMs: (crashes: number) => SHORT.backoff_ms * 2 ** (crashes - 3),
};

describeCases('The embedded control plane keeps every case', CASES, async () => ({
  quick: await prepareGround(await startEmbeddedDiego({ ...QUICK, policy, durable: true }), { ...SHORT, ...QUICK }),
  quiet: await prepareGround(await startEmbeddedDiego({ converge_ms: NEVER_MS, kick_ms: NEVER_MS }), {
    ...SHORT,
    ...QUICK,
    converge_ms: NEVER_MS,
  }),
}));
