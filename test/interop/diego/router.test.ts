import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { connect as connectNats } from 'nats';
import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { startRealDiego, type RealDiego } from '../../support/diego/real.js';
import { startRouter, type Router } from '../../support/diego/router.js';
import { runVizzini } from '../../support/diego/vizzini.js';
import { describePeer } from '../../support/peers.js';

const DIEGO = ['postgres', 'locket', 'bbs', 'auctioneer'];

describePeer('The real router', [...DIEGO, 'nats-server', 'gorouter', 'route-emitter'], () => {
  let diego: RealDiego | undefined;
  let router: Router;
  let app: Server;
  beforeAll(async () => {
    diego = await startRealDiego();
    router = await startRouter({ emitter_of: diego });
    app = createServer((asked, reply) => reply.end(`hello from ${asked.headers.host}`)).listen(0, '127.0.0.1');
    await once(app, 'listening');
  }, 60_000);
  afterAll(async () => {
    app.close();
    await router.close();
    await diego?.close();
  }, 30_000);

  test('what is registered over NATS is served by its host name, and gone when unregistered', async () => {
    const { address, user, password } = router.nats;
    const nats = await connectNats({ servers: address, user, pass: password });
    try {
      const { port } = app.address() as AddressInfo;
      const message = { host: '127.0.0.1', port, uris: ['hello.vizzini.test'], private_instance_id: 'one' };
      nats.publish('router.register', JSON.stringify(message));
      await nats.flush();
      await until(async () => (await get('hello.vizzini.test')).status === 200);
      expect(await get('hello.vizzini.test')).toEqual({ status: 200, body: 'hello from hello.vizzini.test' });
      expect(await router.routes()).toMatchObject({ 'hello.vizzini.test': [{ address: `127.0.0.1:${port}` }] });
      // As an HTTP proxy it is asked for the whole URL: how the acceptance suite reaches apps without DNS.
      expect((await get('ignored', 'http://hello.vizzini.test/')).body).toBe('hello from hello.vizzini.test');
      nats.publish('router.unregister', JSON.stringify(message));
      await nats.flush();
      await until(async () => (await get('hello.vizzini.test')).status === 404);
      expect((await get('hello.vizzini.test')).status).toBe(404);
    } finally {
      await nats.close();
    }
  });

  test('the route-emitter greets the router of its own accord', async () => {
    const { address, user, password } = router.nats;
    const nats = await connectNats({ servers: address, user, pass: password });
    try {
      const greetings = nats.subscribe('router.greet', { max: 1, timeout: 20_000 });
      await nats.flush();
      await router.stop('route-emitter');
      await router.start('route-emitter');
      let greeted = 0;
      for await (const _ of greetings) greeted++;
      expect(greeted).toBe(1);
    } finally {
      await nats.close();
    }
  }, 60_000);

  async function get(host: string, path = '/'): Promise<{ status: number; body: string }> {
    return new Promise((resolve, reject) => {
      const sent = request(router.url, { path, headers: { host }, agent: false, timeout: 5_000 }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      });
      sent.once('timeout', () => sent.destroy(new Error('no reply within 5 s')));
      sent.once('error', reject);
      sent.end();
    });
  }
});

describePeer('Diego’s acceptance suite', [...DIEGO, 'vizzini.test', 'grace'], () => {
  let diego: RealDiego | undefined;
  beforeAll(async () => {
    diego = await startRealDiego();
  }, 60_000);
  afterAll(() => diego?.close(), 30_000);

  test('runs against the real BBS: what needs no cell passes, and a focus that matches nothing runs nothing', async () => {
    if (!diego) throw new Error('no Diego');
    const wiring = { diego, router_url: 'http://127.0.0.1:1' };
    const specs = await runVizzini({ ...wiring, focus: ['Freshness'] });
    const ran = specs.filter(({ state }) => state !== 'skipped');
    expect(ran.map(({ state }) => state)).toEqual(['passed', 'passed', 'passed']);
    const none = await runVizzini({ ...wiring, focus: ['there is no such spec'] });
    expect(none.filter(({ state }) => state !== 'skipped')).toEqual([]);
  }, 120_000);
});

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let waited = 0; !(await holds()) && waited < 10_000; waited += 100) await delay(100);
}
