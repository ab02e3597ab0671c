import { describe } from '@jest/globals';
import { connect } from 'nats';
import { startRouter } from '../../support/diego/router.js';
import { missingPeers } from '../../support/peers.js';
import { describeRouter } from '../../support/routes/agreement.js';

const missing = missingPeers(['nats-server', 'gorouter']);
if (missing.length > 0) {
  process.stderr.write(missing.map((line) => `skipped: the real gorouter: ${line}\n`).join(''));
  describe.skip('The real gorouter', () => describeRouter('', () => Promise.reject(new Error('it is not there'))));
} else {
  describeRouter('The real gorouter', async () => {
    const router = await startRouter({ empty_ms: 10_000 });
    const { address, user, password } = router.nats;
    const nats = await connect({ servers: address, user, pass: password });
    const tell = async (subject: string, message: object): Promise<void> => {
      nats.publish(subject, JSON.stringify(message));
      await nats.flush();
    };
    return {
      url: router.url,
      register: (message) => tell('router.register', message),
      unregister: (message) => tell('router.unregister', message),
      accessLines: () => router.accessLines(),
      close: async () => {
        await nats.close();
        await router.close();
      },
    };
  });
}
