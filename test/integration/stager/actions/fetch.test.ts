import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { systemClock } from '../../../../core/clock.js';
import { noLog } from '../../../../core/log.js';
import { createFetcher, type Fetcher, type FetcherOptions } from '../../../../stager/actions/fetch.js';
import { makeAuthority, makeLeaf } from '../../../support/diego/certs.js';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

let folder: string;
let server: Server;
let base: string;
let handler: Handler;
let asked: IncomingMessage[];
const fetchers: Fetcher[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'unik-fetch-'));
  asked = [];
  server = createServer((request, response) => {
    asked.push(request);
    handler(request, response);
  });
  base = await listen(server);
});

afterEach(async () => {
  await Promise.all(fetchers.splice(0).map((fetcher) => fetcher.close()));
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true, force: true });
});

async function listen(one: Server): Promise<string> {
  await new Promise<void>((resolve) => one.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(one.address() as AddressInfo).port}`;
}

function aFetcher(options: Partial<FetcherOptions> = {}): Fetcher {
  const fetcher = createFetcher({
    ...{ folder, max_bytes: 1_000_000, clock: systemClock, log: noLog, pause_ms: 1 },
    ...options,
  });
  fetchers.push(fetcher);
  return fetcher;
}

/** What the promise is rejected with; undefined when it is not. */
const settled = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (err: unknown) => err,
  );

const never = new AbortController().signal;
const hex = (algorithm: string, text: string): string => createHash(algorithm).update(text).digest('hex');
const files = async (): Promise<string[]> => readdir(join(folder, 'downloads'));

/** Answers with the text; again with 304 when the reader knows its ETag. */
const serve =
  (text: string): Handler =>
  (request, response) => {
    const etag = `"${hex('sha1', text)}"`;
    if (request.headers['if-none-match'] === etag) response.writeHead(304).end();
    else response.writeHead(200, { etag }).end(text);
  };

describe('one download', () => {
  test.each(['md5', 'sha1', 'sha256'] as const)('is checked against its %s', async (algorithm) => {
    handler = serve('content');
    const fetcher = aFetcher();
    const value = hex(algorithm, 'content').toUpperCase();
    const good = await fetcher.fetch(
      { from: `http://${base}/a`, cache_key: '', checksum: { algorithm, value } },
      never,
    );
    expect(await readFile(good.path, 'utf8')).toBe('content');
    expect(good.bytes).toBe(7);

    const bad = { from: `http://${base}/a`, cache_key: '', checksum: { algorithm, value: hex(algorithm, 'other') } };
    await expect(fetcher.fetch(bad, never)).rejects.toMatchObject({
      code: 'download_failed',
      message: expect.stringContaining(`${algorithm} checksum`),
    });
    expect(asked).toHaveLength(2);
    await good.release();
    expect(await files()).toEqual([]);
  });

  test('is tried four times, and the fourth may succeed', async () => {
    handler = (_request, response) => {
      if (asked.length < 4) response.writeHead(503).end('later');
      else response.end('at last');
    };
    const got = await aFetcher().fetch({ from: `http://${base}/a`, cache_key: '' }, never);
    expect(await readFile(got.path, 'utf8')).toBe('at last');
    expect(asked).toHaveLength(4);
  });

  test('fails after four attempts and leaves nothing', async () => {
    handler = (_request, response) => response.destroy();
    const failed = await settled(aFetcher().fetch({ from: `http://${base}/a`, cache_key: '' }, never));
    expect(failed).toMatchObject({ code: 'download_failed' });
    expect(asked).toHaveLength(4);
    expect(await files()).toEqual([]);
  });

  test('that breaks off in the middle is begun anew', async () => {
    handler = (_request, response) => {
      response.writeHead(200, { 'content-length': '10' });
      response.write('12345');
      if (asked.length > 1) response.end('67890');
      else setImmediate(() => response.destroy());
    };
    const got = await aFetcher().fetch({ from: `http://${base}/a`, cache_key: '' }, never);
    expect(await readFile(got.path, 'utf8')).toBe('1234567890');
  });

  test('larger than allowed ends at once', async () => {
    handler = (_request, response) => response.end('x'.repeat(2000));
    const failed = await settled(
      aFetcher({ max_bytes: 1000 }).fetch({ from: `http://${base}/`, cache_key: '' }, never),
    );
    expect(failed).toMatchObject({ code: 'download_failed', message: expect.stringContaining('1000 bytes') });
    expect(asked).toHaveLength(1);
    expect(await files()).toEqual([]);
  });

  test('from a server that falls silent is given up', async () => {
    handler = (_request, response) => response.writeHead(200).write('some');
    const fetcher = aFetcher({ idle_ms: 300, attempts: 1 });
    const failed = await settled(fetcher.fetch({ from: `http://${base}/a`, cache_key: '' }, never));
    expect(failed).toMatchObject({ code: 'download_failed' });
  });

  test('ends when its signal fires', async () => {
    const stop = new AbortController();
    handler = (_request, response) => {
      response.writeHead(200).write('some');
      stop.abort(new Error('enough'));
    };
    const failed = await settled(aFetcher().fetch({ from: `http://${base}/a`, cache_key: 'k' }, stop.signal));
    expect(failed).toMatchObject({ message: 'enough' });
  });

  test.each(['file:///etc/passwd', 'ftp://host/x', 'not a url'])('of %s is refused', async (from) => {
    await expect(aFetcher().fetch({ from, cache_key: '' }, never)).rejects.toMatchObject({ code: 'download_failed' });
  });
});

describe('redirects', () => {
  test('are followed, and credentials stay with the server they were meant for', async () => {
    handler = (request, response) => {
      if (request.url === '/first') response.writeHead(302, { location: '/second?sig=abc' }).end();
      else response.end('there');
    };
    const got = await aFetcher().fetch({ from: `http://me:p%40ss@${base}/first`, cache_key: '' }, never);
    expect(await readFile(got.path, 'utf8')).toBe('there');
    expect(asked.map((one) => one.headers.authorization)).toEqual([
      `Basic ${Buffer.from('me:p@ss').toString('base64')}`,
      undefined,
    ]);
  });

  test('without an end are given up', async () => {
    handler = (_request, response) => response.writeHead(302, { location: '/again' }).end();
    const failed = await settled(aFetcher().fetch({ from: `http://${base}/a`, cache_key: '' }, never));
    expect(failed).toMatchObject({ message: expect.stringContaining('10 redirects') });
    expect(asked).toHaveLength(11);
  });
});

test('neither user, password nor a signed query is in an error', async () => {
  handler = (_request, response) => response.writeHead(404).end();
  const from = `http://me:secret@${base}/a?signature=hidden`;
  const failed = await settled(aFetcher().fetch({ from, cache_key: '' }, never));
  expect(failed).toMatchObject({ message: `http://${base}/a: status 404` });
});

describe('the cache', () => {
  test('is revalidated', async () => {
    handler = serve('one');
    const fetcher = aFetcher();
    const order = { from: `http://${base}/a`, cache_key: 'key' };
    const first = await fetcher.fetch(order, never);
    const second = await fetcher.fetch(order, never);
    expect(second.path).toBe(first.path);
    expect(asked[1]?.headers['if-none-match']).toBe(`"${hex('sha1', 'one')}"`);

    handler = serve('two');
    const third = await fetcher.fetch(order, never);
    expect(await readFile(third.path, 'utf8')).toBe('two');
    // Whoever still reads the old one can.
    expect(await readFile(first.path, 'utf8')).toBe('one');
    await first.release();
    await second.release();
    await third.release();
    expect((await files()).filter((name) => name.endsWith('.data'))).toHaveLength(1);
  });

  test('gives what has the wanted sha256 without asking, after a restart too', async () => {
    handler = (_request, response) => response.end('one');
    const checksum = { algorithm: 'sha256' as const, value: hex('sha256', 'one') };
    const order = { from: `http://${base}/a`, cache_key: 'key', checksum };
    await (await aFetcher().fetch(order, never)).release();
    const again = await aFetcher().fetch(order, never);
    expect(await readFile(again.path, 'utf8')).toBe('one');
    expect(asked).toHaveLength(1);
  });

  test('does not give another content than the checksum asks for', async () => {
    handler = serve('one');
    const fetcher = aFetcher();
    await fetcher.fetch({ from: `http://${base}/a`, cache_key: 'key' }, never);
    handler = serve('two');
    const checksum = { algorithm: 'sha256' as const, value: hex('sha256', 'two') };
    const got = await fetcher.fetch({ from: `http://${base}/b`, cache_key: 'key', checksum }, never);
    expect(await readFile(got.path, 'utf8')).toBe('two');
    expect(asked[1]?.headers['if-none-match']).toBeUndefined();
  });

  test('does not keep what cannot be revalidated', async () => {
    handler = (_request, response) => response.end('one');
    const got = await aFetcher().fetch({ from: `http://${base}/a`, cache_key: 'key' }, never);
    await got.release();
    expect(await files()).toEqual([]);
  });

  test('lets the least recently used go, but nothing that is held', async () => {
    let now = 0;
    const fetcher = aFetcher({ max_bytes: 1000, clock: { ...systemClock, now: () => ++now } });
    handler = serve('x'.repeat(400));
    const held = await fetcher.fetch({ from: `http://${base}/a`, cache_key: 'a' }, never);
    for (const key of ['b', 'c', 'd']) {
      await (await fetcher.fetch({ from: `http://${base}/${key}`, cache_key: key }, never)).release();
    }
    expect(await readFile(held.path, 'utf8')).toHaveLength(400);
    expect((await files()).filter((name) => name.endsWith('.data'))).toHaveLength(2);
    const before = asked.length;
    await fetcher.fetch({ from: `http://${base}/b`, cache_key: 'b' }, never);
    expect(asked[before]?.headers['if-none-match']).toBeUndefined();
  });

  test('shares one download among those who want the same', async () => {
    const replies: ServerResponse[] = [];
    handler = (_request, response) => replies.push(response);
    const fetcher = aFetcher();
    const order = { from: `http://${base}/a`, cache_key: 'key' };
    const gone = new AbortController();
    const all = [fetcher.fetch(order, never), fetcher.fetch(order, gone.signal), fetcher.fetch(order, never)];
    const leaver = settled(all[1] ?? Promise.resolve());
    while (replies.length === 0) await systemClock.sleep(5);
    gone.abort(new Error('left'));
    expect(await leaver).toMatchObject({ message: 'left' });
    replies[0]?.writeHead(200, { etag: '"1"' }).end('shared');
    const [first, , last] = await Promise.allSettled(all);
    expect([first?.status, last?.status]).toEqual(['fulfilled', 'fulfilled']);
    expect(asked).toHaveLength(1);
  });

  test('a shared download ends when the last who wanted it has left', async () => {
    const closed: Promise<void>[] = [];
    handler = (request) => {
      closed.push(new Promise((resolve) => request.socket.once('close', () => resolve())));
    };
    const fetcher = aFetcher();
    const stops = [new AbortController(), new AbortController()];
    const all = stops.map((stop) => settled(fetcher.fetch({ from: `http://${base}/a`, cache_key: 'k' }, stop.signal)));
    while (closed.length === 0) await systemClock.sleep(5);
    for (const stop of stops) stop.abort(new Error('left'));
    await Promise.all([...all, ...closed]);
    expect(asked).toHaveLength(1);
  });
});

test('it shows its certificate where one is asked for', async () => {
  const ca = await makeAuthority();
  const [own, client] = [await makeLeaf(ca), await makeLeaf(ca, { name: 'cell' })];
  const subjects: unknown[] = [];
  const options = { ...own, ca: ca.cert, requestCert: true, rejectUnauthorized: true };
  const secure = createTlsServer(options, (request, response) => {
    const { socket } = request;
    if ('getPeerCertificate' in socket) subjects.push((socket as TLSSocket).getPeerCertificate().subject.CN);
    response.end('private');
  });
  try {
    const from = `https://${await listen(secure)}/droplet`;
    const got = await aFetcher({ tls: { ca: ca.cert, ...client } }).fetch({ from, cache_key: '' }, never);
    expect(await readFile(got.path, 'utf8')).toBe('private');
    expect(subjects).toEqual(['cell']);
    const failed = await settled(aFetcher({ attempts: 1 }).fetch({ from, cache_key: '' }, never));
    expect(failed).toMatchObject({ code: 'download_failed' });
  } finally {
    secure.closeAllConnections();
    secure.close();
  }
});
