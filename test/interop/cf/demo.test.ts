/** The talk from a fresh home: what `npm run demo` types, by the real CLI, with real machines. */
import { test } from '@jest/globals';
import { expectTalk } from '../../support/cf/demo.js';
import { describePeer, peer } from '../../support/peers.js';

describePeer('the demo', ['cf'], () => {
  test('push, enable-unik, start, three machines, logs, one killed and replaced, delete; nothing is left', async () => {
    await expectTalk(peer('cf'));
  }, 900_000);
});
