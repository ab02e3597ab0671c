import { startRealDiego } from '../../support/diego/real.js';
import { describePeer } from '../../support/peers.js';
import { refusedSuite } from '../../support/staging/refused.js';
import { stagingSuite } from '../../support/staging/suite.js';

describePeer('staged under the real Diego', ['postgres', 'locket', 'bbs', 'auctioneer'], () => {
  stagingSuite('on the cell', () => startRealDiego());
  refusedSuite('refused', () => startRealDiego());
});
