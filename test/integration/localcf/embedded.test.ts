/** The wire of the embedded BBS, Locket and auctioneer. Its rules are tested by the conformance suite and unit tests. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, credentials } from '@grpc/grpc-js';
import { createBbs, type Bbs, type Identity } from '../../../backend/wire/bbs.js';
import { decode, encode } from '../../../backend/wire/codec.js';
import { systemClock } from '../../../core/clock.js';
import { createEmbedded, type Embedded, type EmbeddedOptions } from '../../../localcf/bbs/index.js';
import { writeCerts, type CertFiles } from '../../support/diego/certs.js';
import { aDesired, aKey, anInstance, aStart, both } from '../../support/rules.js';

let dir = '';
let certs: CertFiles;
let tls: Identity;
const undo: (() => Promise<void> | void)[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'unik-embedded-'));
  certs = await writeCerts(join(dir, 'certs'));
  tls = { ca: await text(certs.ca), cert: await text(certs.cert), key: await text(certs.key) };
}, 60_000);
afterAll(() => rm(dir, { recursive: true, force: true }));
afterEach(async () => {
  for (const one of undo.splice(0).reverse()) await one();
});

const text = (path: string): Promise<string> => readFile(path, 'utf8');

async function start(options: Partial<EmbeddedOptions> = {}): Promise<{ embedded: Embedded; bbs: Bbs }> {
  const embedded = await createEmbedded({ tls, converge_ms: 3_600_000, ...options });
  const bbs = createBbs({ url: embedded.bbs_url, tls, clock: systemClock, timeout_ms: 10_000, attempts: 1 });
  undo.push(() => embedded.close());
  undo.push(() => bbs.close());
  return { embedded, bbs };
}

interface Ask {
  method?: string;
  body?: Buffer;
  identity?: Partial<Identity>;
}

function ask(url: string, { method = 'POST', body, identity = tls }: Ask = {}): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const one = request(url, { method, ...identity, agent: false }, resolve);
    one.once('error', reject);
    one.end(body);
  });
}

async function whole(reply: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of reply as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function lock(address: string, owner: string): Promise<string> {
  const client = new Client(
    address,
    credentials.createSsl(Buffer.from(tls.ca), Buffer.from(tls.key), Buffer.from(tls.cert)),
    { 'grpc.ssl_target_name_override': 'localhost' },
  );
  const resource = {
    key: 'cell-a',
    owner,
    value: '{"cell_id":"cell-a"}',
    type: 'presence',
    type_code: 'PRESENCE' as const,
  };
  return new Promise((resolve) => {
    client.makeUnaryRequest(
      '/models.Locket/Lock',
      () => encode('models.LockRequest', { resource, ttl_in_seconds: 60n }),
      (bytes: Buffer) => decode('models.LockResponse', bytes),
      {},
      (err) => {
        client.close();
        resolve(err ? `${err.code} ${err.details}` : 'held');
      },
    );
  });
}

describe('HTTP', () => {
  test.each([
    ['an unknown path', 'POST', '/v1/nothing', 404, '404 page not found\n'],
    ['another method', 'GET', '/v1/actual_lrps/list', 405, 'Method Not Allowed\n'],
  ])('%s', async (_why, method, path, status, body) => {
    const { embedded } = await start();
    const reply = await ask(embedded.bbs_url + path, { method });
    expect([reply.statusCode, (await whole(reply)).toString()]).toEqual([status, body]);
  });

  test('a refusal is a 200 with an error, and success an empty body', async () => {
    const { embedded } = await start();
    const garbage = await ask(`${embedded.bbs_url}/v1/actual_lrps/claim`, { body: Buffer.from('this is no protobuf') });
    expect(garbage).toMatchObject({ statusCode: 200, headers: { 'content-type': 'application/x-protobuf' } });
    const { error } = decode('models.ActualLRPLifecycleResponse', await whole(garbage));
    expect(error).toEqual({ type: 'InvalidRequest', message: 'the request received is invalid' });
    const body = encode('models.UpsertDomainRequest', { domain: 'd', ttl: 0 });
    const success = await ask(`${embedded.bbs_url}/v1/domains/upsert`, { body });
    expect([success.headers['content-length'], (await whole(success)).length]).toEqual(['0', 0]);
  });

  test('a request cut at any byte is refused or understood, never a crash', async () => {
    const { embedded, bbs } = await start();
    const body = encode('models.DesireLRPRequest', { desired_lrp: aDesired('p') });
    for (let at = 0; at < body.length; at++) {
      const reply = await ask(`${embedded.bbs_url}/v1/desired_lrp/desire.r2`, { body: body.subarray(0, at) });
      expect(decode('models.DesiredLRPLifecycleResponse', await whole(reply)).error).toBeDefined();
    }
    expect((await bbs.call('desired_lrps', {})).desired_lrps).toEqual([]);
  }, 60_000);

  test('a 10 MB body of nothing is refused', async () => {
    const { embedded, bbs } = await start();
    const reply = await ask(`${embedded.bbs_url}/v1/tasks/desire.r2`, { body: Buffer.alloc(10 * 2 ** 20) });
    expect(decode('models.TaskLifecycleResponse', await whole(reply)).error).toBeDefined();
    expect(await bbs.call('ping', undefined)).toEqual({ available: true });
  });

  test('none, an expired and a stranger certificate are turned away', async () => {
    const { embedded, bbs } = await start();
    const { ca } = tls;
    for (const pair of [undefined, certs.expired, certs.stranger]) {
      const identity = pair ? { ca, cert: await text(pair.cert), key: await text(pair.key) } : { ca };
      for (const url of [embedded.bbs_url, embedded.auctioneer_url]) {
        await expect(ask(`${url}/v1/ping`, { identity })).rejects.toThrow();
      }
    }
    expect(await bbs.call('ping', undefined)).toEqual({ available: true });
  });

  test('the auctioneer takes work, and says what is wrong with other bodies', async () => {
    const { embedded } = await start();
    const post = async (path: string, body: string): Promise<[number | undefined, string]> => {
      const reply = await ask(embedded.auctioneer_url + path, { body: Buffer.from(body) });
      return [reply.statusCode, (await whole(reply)).toString()];
    };
    expect(await post('/v1/lrps', '[]')).toEqual([202, '{}']);
    expect(await post('/v1/tasks', '[]')).toEqual([202, '{}']);
    expect(await post('/v1/lrps', '{')).toEqual([400, expect.stringMatching(/^\{"error":/)]);
    expect((await post('/v1/nothing', '[]'))[0]).toBe(404);
  });
});

describe('event streams', () => {
  async function listen(url: string, cell_id: string): Promise<{ next: () => Promise<string>; close: () => void }> {
    const reply = await ask(url, { body: encode('models.EventsByCellId', { cell_id }) });
    expect(reply.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    const chunks = (reply as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
    let rest = '';
    return {
      next: async () => {
        while (!rest.includes('\n\n')) rest += ((await chunks.next()) as { value: Buffer }).value.toString();
        const [frame = ''] = rest.split('\n\n', 1);
        rest = rest.slice(frame.length + 2);
        return frame;
      },
      close: () => reply.destroy(),
    };
  }

  test('numbered frames, of one cell where that was asked', async () => {
    const { embedded, bbs } = await start();
    const all = await listen(`${embedded.bbs_url}/v1/events/lrp_instances.r1`, '');
    const mine = await listen(`${embedded.bbs_url}/v1/events/lrp_instances.r1`, 'cell-b');
    undo.push(all.close, mine.close);
    await bbs.call('start', aStart('p', 'i1', 'cell-a'));
    await bbs.call('start', aStart('q', 'i2', 'cell-b'));
    const frames = [await all.next(), await all.next()];
    expect(frames.map((frame) => frame.split('\n').slice(0, 2))).toEqual([
      ['id: 0', 'event: actual_lrp_instance_created'],
      ['id: 1', 'event: actual_lrp_instance_created'],
    ]);
    const [id, , data = ''] = (await mine.next()).split('\n');
    expect(id).toBe('id: 0');
    const event = decode('models.ActualLRPInstanceCreatedEvent', Buffer.from(data.slice('data: '.length), 'base64'));
    expect(event.actual_lrp).toMatchObject({ actual_lrp_key: aKey('q'), state: 'RUNNING' });
  });

  test('tasks and groups have their own; what is no request is told by status', async () => {
    const { embedded, bbs } = await start();
    const groups = await listen(`${embedded.bbs_url}/v1/events.r1`, '');
    undo.push(groups.close);
    await bbs.call('start', aStart('p', 'i1'));
    expect(await groups.next()).toMatch(/^id: 0\nevent: actual_lrp_created\n/);
    const wrong = await ask(`${embedded.bbs_url}/v1/events/tasks`, { body: Buffer.from('garbage') });
    expect(wrong.statusCode).toBe(500);
    wrong.destroy();
  });

  test('end when the server does', async () => {
    const { embedded } = await start();
    const reply = await ask(`${embedded.bbs_url}/v1/events/tasks.r1`);
    reply.on('error', () => undefined);
    const closed = new Promise((resolve) => reply.once('close', resolve));
    await embedded.close();
    await closed;
  });
});

describe('a home', () => {
  test('keeps rows, domains, tasks and locks over a restart; without one all is gone', async () => {
    const home = join(dir, 'home');
    const first = await start({ home });
    await first.bbs.call('upsert_domain', { domain: 'd', ttl: 0 });
    await first.bbs.call('desire_lrp', { desired_lrp: aDesired('p', { instances: 2 }) });
    await first.bbs.call('claim', { ...aKey('p', 1), actual_lrp_instance_key: anInstance('i') });
    await first.bbs.call('start', aStart('p', 'i', 'cell-a', 1));
    await first.bbs.call('crash', { ...both('p', 'i', 'cell-a', 1), error_message: 'oops' });
    expect(await lock(first.embedded.locket_address, 'me')).toBe('held');
    const see = async (bbs: Bbs): Promise<unknown[]> => [
      await bbs.call('desired_lrps', {}),
      await bbs.call('actual_lrps', {}),
      await bbs.call('domains', undefined),
      await bbs.call('cells', undefined),
    ];
    const before = await see(first.bbs);
    expect(JSON.stringify(before[3])).toContain('cell-a');
    await first.embedded.close();
    const second = await start({ home });
    expect(await see(second.bbs)).toEqual(before);
    expect(await lock(second.embedded.locket_address, 'other')).toBe('6 lock-collision');
    const third = await start();
    expect((await third.bbs.call('desired_lrps', {})).desired_lrps).toEqual([]);
  });
});
