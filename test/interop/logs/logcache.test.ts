import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { decode, encode } from '../../../backend/wire/codec.js';
import { systemClock } from '../../../core/clock.js';
import { createGateway } from '../../../localcf/logcache/gateway.js';
import { createStore } from '../../../localcf/logcache/store.js';
import { CONTENT, QUERIES } from '../../support/logs/queries.js';
import { CACHE_PEERS, getJson, startRealLogs, type RealLogs } from '../../support/logs/real.js';
import { describePeer } from '../../support/peers.js';

describePeer('Our log-cache and the real one', CACHE_PEERS, () => {
  let real: RealLogs;
  let ours: Server;
  let base: string;
  beforeAll(async () => {
    const store = createStore();
    ours = createServer(createGateway({ store, clock: systemClock })).listen(0, '127.0.0.1');
    await once(ours, 'listening');
    base = `http://127.0.0.1:${(ours.address() as AddressInfo).port}`;
    real = await startRealLogs(CACHE_PEERS);
    store.put(decode('loggregator.v2.EnvelopeBatch', encode('loggregator.v2.EnvelopeBatch', { batch: CONTENT })).batch);
    await real.put(CONTENT);
    const deadline = Date.now() + 10_000;
    // It puts in the background.
    while (JSON.stringify(await getJson(`${real.gateway}/api/v1/meta`)).match(/"count"/g)?.length !== 3) {
      if (Date.now() > deadline) throw new Error(`log-cache has not what was put:\n${await real.log('log-cache')}`);
    }
  }, 60_000);
  afterAll(async () => {
    ours.close();
    await real.close();
  }, 30_000);

  test('there are forty questions', () => {
    expect(new Set(QUERIES).size).toBe(40);
  });

  test.each(QUERIES)('answer the same to %s', async (path) => {
    const [theirs, own] = await Promise.all([getJson(real.gateway + path), getJson(base + path)]);
    expect(sorted(own)).toEqual(sorted(theirs));
  });

  test('and are both of a version that cf reads under /api/v1', async () => {
    for (const url of [real.gateway, base]) {
      const { status, body } = await getJson(`${url}/api/v1/info`);
      expect({ status, keys: Object.keys(body as object) }).toEqual({ status: 200, keys: ['version', 'vm_uptime'] });
    }
  });
});

/** Series of a PromQL answer come in no order. */
function sorted(answer: { status: number; body: unknown }): unknown {
  const { data } = answer.body as { data?: { result?: unknown } };
  if (!Array.isArray(data?.result)) return answer;
  return { ...answer, result: data.result.map((one) => JSON.stringify(one)).sort(), body: undefined };
}
