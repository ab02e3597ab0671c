import { startEmbeddedDiego } from '../../support/diego/embedded.js';
import { startRealDiego } from '../../support/diego/real.js';
import { describePeer } from '../../support/peers.js';
import { prepareGround, type Times } from './conformance/bench.js';
import { describeCases } from './conformance/run.js';
import { CASES } from './conformance/table.js';

/** Diego's constants as they are, and what may be configured short. */
const QUICK: Times = {
  stale_ms: 30_000,
  backoff_ms: 30_000,
  converge_ms: 1_000,
  kick_ms: 2_000,
  expire_pending_ms: 15_000,
  expire_completed_ms: 15_000,
  // A busy machine may stand still for seconds.
  patience_ms: 30_000,
};
const NEVER_MS = 3_600_000;
const QUIET: Times = { ...QUICK, converge_ms: NEVER_MS, kick_ms: NEVER_MS };

describePeer('The real control plane', ['postgres', 'locket', 'bbs', 'auctioneer'], () => {
  describeCases('keeps every case', CASES, async () => {
    const [quick, quiet] = await Promise.all([startRealDiego(QUICK), startRealDiego(QUIET)]);
    return { quick: await prepareGround(quick, QUICK), quiet: await prepareGround(quiet, QUIET) };
  });
});

describeCases("The embedded control plane with Diego's own constants keeps every case", CASES, async () => ({
  quick: await prepareGround(await startEmbeddedDiego({ ...QUICK, durable: true }), QUICK),
  quiet: await prepareGround(await startEmbeddedDiego(QUIET), QUIET),
}));
