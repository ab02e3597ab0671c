import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Identity } from '../../../backend/wire/bbs.js';
import type { Envelope } from '../../../backend/wire/loggregator.js';
import { systemClock } from '../../../core/clock.js';
import { noLog } from '../../../core/log.js';
import { createGateway, createStore, serveIngress, type IngressServer } from '../../../localcf/logcache/index.js';
import { remoteLogs } from '../../../localcf/remote-logs.js';
import { writeCerts } from '../../support/diego/certs.js';
import { until } from '../../support/unik.js';

let dir: string;
let server: Server;
let ingress: IngressServer;
let logs: ReturnType<typeof remoteLogs>;
let tls: Identity;
const store = createStore();

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'unik-remote-'));
  const { ca, cert, key } = await writeCerts(dir, ['metron']);
  const [a = '', b = '', c = ''] = await Promise.all([ca, cert, key].map((path) => readFile(path, 'utf8')));
  tls = { ca: a, cert: b, key: c };
  ingress = await serveIngress({ tls, take: (envelopes) => store.put(envelopes) });
  server = createServer(createGateway({ store, clock: systemClock }));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  logs = remoteLogs({ url: `http://127.0.0.1:${port}`, agent: ingress.address, tls, log: noLog });
}, 30_000);
afterAll(async () => {
  await logs.close();
  ingress.close();
  server.close();
  server.closeAllConnections();
  await rm(dir, { recursive: true, force: true });
});

const envelope = (more: object): Envelope => ({
  ...{ timestamp: 1_764_000_000_123_456_789n, source_id: 'app', instance_id: '0', deprecated_tags: {} },
  tags: { source_type: 'API' },
  ...more,
});

test('a line arrives at the agent, to the nanosecond', async () => {
  logs.write(envelope({ log: { payload: Buffer.from('Updated app'), type: 'OUT' } }));
  const found = await until(
    'it arrives',
    async () => {
      const query = { start_time: 0n, end_time: 2n ** 62n, limit: 10, types: [], descending: false };
      return store.read('app', query)[0];
    },
    10_000,
  );
  expect(found).toMatchObject({ timestamp: 1_764_000_000_123_456_789n, tags: { source_type: 'API' } });
  expect(Buffer.from(found.log?.payload ?? '').toString()).toBe('Updated app');
});

test('gauges come back from log-cache', async () => {
  const now = BigInt(Date.now()) * 1_000_000n;
  store.put([
    envelope({ timestamp: now, source_id: 'busy', gauge: { metrics: { cpu: { unit: 'percentage', value: 1.5 } } } }),
  ]);
  const read = await logs.read('busy', { types: ['GAUGE'], since: Date.now() - 60_000, limit: 10 });
  expect(read).toMatchObject([{ timestamp: now, gauge: { metrics: { cpu: { value: 1.5 } } } }]);
  expect(await logs.read('nobody', { types: ['GAUGE'], since: 0, limit: 10 })).toEqual([]);
});

test('a log-cache that is away is told as such', async () => {
  const lost = remoteLogs({ url: 'http://127.0.0.1:1', agent: ingress.address, tls, log: noLog });
  await expect(lost.read('app', { types: [], since: 0, limit: 1 })).rejects.toMatchObject({ code: 'peer_unreachable' });
  await lost.close();
});
