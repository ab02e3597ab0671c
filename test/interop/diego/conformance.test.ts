import { startRealDiego } from '../../support/diego/real.js';
import { describePeer } from '../../support/peers.js';
import { prepareGround } from './conformance/bench.js';
import { describeCases } from './conformance/run.js';
import { CASES } from './conformance/table.js';

/** Diego's constants as they are. */
const REAL = { stale_ms: 30_000, backoff_ms: 30_000, patience_ms: 10_000 };
/** What may be configured. */
const QUICK = { converge_ms: 1_000, kick_ms: 2_000, expire_pending_ms: 15_000, expire_completed_ms: 15_000 };
const NEVER_MS = 3_600_000;

describePeer('The real control plane', ['postgres', 'locket', 'bbs', 'auctioneer'], () => {
  describeCases('keeps every case', CASES, async () => {
    const [quick, quiet] = await Promise.all([
      startRealDiego(QUICK),
      startRealDiego({ converge_ms: NEVER_MS, kick_ms: NEVER_MS }),
    ]);
    return {
      quick: await prepareGround(quick, { ...REAL, ...QUICK }),
      quiet: await prepareGround(quiet, { ...REAL, ...QUICK, converge_ms: NEVER_MS }),
    };
  });
});
