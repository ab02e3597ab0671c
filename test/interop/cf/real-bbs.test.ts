/** Our Cloud Controller and our cell, with the platform's own BBS, Locket and auctioneer between them. */
import { Cloud } from '../../support/cc/cloud.js';
import { cloudSuite } from '../../support/cc/suite.js';
import { startRealDiego } from '../../support/diego/real.js';
import { describePeer } from '../../support/peers.js';

describePeer('with the real Diego', ['locket', 'bbs', 'auctioneer'], () => {
  cloudSuite('a Cloud Foundry of one machine', async () =>
    Cloud.open(await startRealDiego({ converge_ms: 5_000, kick_ms: 5_000 })),
  );
});
