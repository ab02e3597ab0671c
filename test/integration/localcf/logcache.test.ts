import { afterEach, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connectLoggregator } from '../../../backend/logs/loggregator.js';
import { systemClock } from '../../../core/clock.js';
import { noLog } from '../../../core/log.js';
import { createGateway, createStore, serveIngress, type GatewayOptions } from '../../../localcf/logcache/index.js';
import { makeAuthority, makeLeaf } from '../../support/diego/certs.js';
import { CONTENT } from '../../support/logs/queries.js';
import { getJson } from '../../support/logs/real.js';
import { decode, encode } from '../../../backend/wire/codec.js';

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

async function serve(options: Omit<GatewayOptions, 'clock'>): Promise<string> {
  const server = createServer(createGateway({ ...options, clock: systemClock })).listen(0, '127.0.0.1');
  await once(server, 'listening');
  open.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('what a cell says is read as cf reads it, field by field', async () => {
  const store = createStore();
  const ca = await makeAuthority();
  const tls = { ca: ca.cert, ...(await makeLeaf(ca, { names: ['metron'] })) };
  const server = await serveIngress({ tls, take: (envelopes) => store.put(envelopes) });
  open.push(() => server.close());
  const sink = connectLoggregator({ address: server.address, tls, clock: systemClock, log: noLog });
  const tags = { source_id: 'app', instance_id: '3', process_id: 'p' };
  sink.log(
    { guid: 'app', index: 3, source: 'CELL', tags, bytes_per_second: -1 },
    { source: 'APP/PROC/WEB', stream: 'err', text: 'hello ✓', at: 1_764_000_000_123 },
  );
  await sink.close(5_000);
  expect(await getJson(`${await serve({ store })}/api/v1/read/app`)).toEqual({
    status: 200,
    body: {
      envelopes: {
        batch: [
          {
            timestamp: '1764000000123000000',
            source_id: 'app',
            instance_id: '3',
            deprecated_tags: {},
            tags: { ...tags, source_type: 'APP/PROC/WEB', origin: 'rep' },
            log: { payload: Buffer.from('hello ✓').toString('base64'), type: 'ERR' },
          },
        ],
      },
    },
  });
}, 30_000);

test('who may not read a source is told that there is nothing, and does not see it among the others', async () => {
  const store = createStore();
  store.put(decode('loggregator.v2.EnvelopeBatch', encode('loggregator.v2.EnvelopeBatch', { batch: CONTENT })).batch);
  const base = await serve({ store, mayRead: async (_authorization, source_id) => source_id === 'metrics' });
  expect(await getJson(`${base}/api/v1/read/app`)).toMatchObject({ status: 404, body: { code: 5 } });
  expect(await getJson(`${base}/api/v1/query?query=cpu%7Bsource_id%3D%22app%22%7D`)).toMatchObject({ status: 404 });
  expect(await getJson(`${base}/api/v1/read/metrics`)).toMatchObject({ status: 200 });
  const { body } = await getJson(`${base}/api/v1/meta`);
  expect(Object.keys((body as { meta: object }).meta)).toEqual(['metrics']);
});

test('what is not there, other methods and broken addresses get an answer', async () => {
  const base = await serve({ store: createStore() });
  expect(await getJson(`${base}/api/v1/nope`)).toMatchObject({ status: 404, body: { code: 5, message: 'Not Found' } });
  expect(await getJson(`${base}/api/v1/read/%ff`)).toMatchObject({ status: 400, body: { code: 3 } });
  const posted = await fetch(`${base}/api/v1/read/app`, { method: 'POST' });
  expect([posted.status, await posted.json()]).toEqual([501, { code: 12, message: 'Method Not Allowed', details: [] }]);
});

test('cf takes its version for one that reads under /api/v1', async () => {
  const { body } = await getJson(`${await serve({ store: createStore() })}/api/v1/info`);
  expect(body).toEqual({
    version: expect.stringMatching(/^[2-9]\.\d+\.\d+$/),
    vm_uptime: expect.stringMatching(/^\d+$/),
  });
});
