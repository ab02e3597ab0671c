import { test } from '@jest/globals';
import { describePeer } from '../../support/peers.js';
import { natsAway } from '../../support/routes/outage.js';

describePeer('NATS that goes away', ['nats-server'], () => {
  test('for a minute: no route is lost', () => natsAway({ away_ms: 60_000, stale_ms: 20_000 }), 240_000);
});
