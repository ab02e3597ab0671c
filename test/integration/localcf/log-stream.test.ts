import { afterEach, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { decode, encode } from '../../../backend/wire/codec.js';
import type { Envelope } from '../../../backend/wire/loggregator.js';
import { createLogStream, createStore, type StreamOptions } from '../../../localcf/logcache/index.js';
import { tapped } from '../../../localcf/page/lines.js';
import { CONTENT } from '../../support/logs/queries.js';
import { until } from '../../support/unik.js';

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

const ENVELOPES: Envelope[] = decode(
  'loggregator.v2.EnvelopeBatch',
  encode('loggregator.v2.EnvelopeBatch', { batch: CONTENT }),
).batch;

async function serve(mayRead: StreamOptions['mayRead'] = async () => true) {
  const { store, onEnvelopes } = tapped(createStore());
  let ears = 0;
  const listen: StreamOptions['listen'] = (hear) => {
    const end = onEnvelopes(hear);
    ears++;
    return () => {
      ears--;
      end();
    };
  };
  const server = createServer(createLogStream({ listen, mayRead })).listen(0, '127.0.0.1');
  await once(server, 'listening');
  open.push(() => {
    server.close();
    server.closeAllConnections();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v2/read`;
  return { store, url, ears: () => ears };
}

test('streams what is stored from now on, of the sources and kinds that were asked for', async () => {
  const { store, url, ears } = await serve();
  store.put(ENVELOPES);
  const leave = new AbortController();
  const reply = await fetch(`${url}?shard_id=x&source_id=app&source_id=nobody&log`, { signal: leave.signal });
  expect([reply.status, reply.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
  const reader = reply.body?.pipeThrough(new TextDecoderStream()).getReader();
  store.put(ENVELOPES);
  const { value = '' } = (await reader?.read()) ?? {};
  const { batch } = JSON.parse(/^data: (.*)\n\n$/.exec(value)?.[1] ?? '') as { batch: Record<string, unknown>[] };
  const wanted = ENVELOPES.filter(({ source_id, log }) => source_id === 'app' && log !== undefined);
  expect(wanted.length).toBeGreaterThan(0);
  expect(batch.map(({ timestamp }) => timestamp)).toEqual(wanted.map(({ timestamp }) => String(timestamp)));
  expect(ears()).toBe(1);
  leave.abort();
  await until('nobody listens', async () => (ears() === 0 ? true : undefined), 10_000);
});

test.each<[why: string, query: string, method: string, status: number, error: string]>([
  ['no kind', '?source_id=app', 'GET', 400, 'missing_envelope_type'],
  ['another’s application', '?source_id=app&source_id=other&log', 'GET', 404, 'not_found'],
  ['all, without the right to', '?log', 'GET', 404, 'not_found'],
  ['another method', '?source_id=app&log', 'POST', 405, 'method_not_allowed'],
])('%s is refused', async (_why, query, method, status, error) => {
  const { url, ears } = await serve(async (_authorization, id) => id === 'app');
  const reply = await fetch(`${url}${query}`, { method });
  expect([reply.status, await reply.json()]).toMatchObject([status, { error }]);
  expect(ears()).toBe(0);
});
