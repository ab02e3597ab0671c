import { afterEach, expect, test } from '@jest/globals';
import { connect } from 'node:net';
import { Agent, request } from 'undici';
import { WebSocket } from 'ws';
import { readRegistration } from '../../../backend/wire/registration.js';
import { startRouter, type AccessRecord, type Router, type RouterOptions } from '../../../localcf/router/index.js';
import { makeAuthority, makeLeaf } from '../../support/diego/certs.js';
import { describeRouter } from '../../support/routes/agreement.js';
import { APP, registration, startBackend as start, startRude, type Backend } from '../../support/routes/backend.js';
import { send, until } from '../../support/routes/client.js';

describeRouter('Our router', async () => {
  const lines: AccessRecord[] = [];
  const router = await startRouter({ port: 0, access: (record) => lines.push(record) });
  /** As over NATS: what cannot be read is not answered. */
  const quietly = async (job: () => void): Promise<void> => {
    try {
      job();
    } catch {
      return;
    }
  };
  return {
    url: router.url,
    register: (message) => quietly(() => router.register(readRegistration(message))),
    unregister: (message) => quietly(() => router.unregister(readRegistration(message))),
    accessLines: async () => lines.map(({ text }) => text),
    close: () => router.close(),
  };
});

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

async function startBackend(...args: Parameters<typeof start>): Promise<Backend> {
  const made = await start(...args);
  open.push(made);
  return made;
}

async function use(options: Partial<RouterOptions>, job: (router: Router) => Promise<void>): Promise<void> {
  const router = await startRouter({ port: 0, ...options });
  try {
    await job(router);
  } finally {
    await router.close();
  }
}

test('what is not registered again in time is dropped, unless nobody could; what this process registered stays', async () => {
  const backend = await startBackend('hello');
  await use({ stale_ms: 500, sweep_ms: 50, empty_ms: 0 }, async (router) => {
    const ask = async (host: string) => (await send(router.url, host)).status;
    router.register(registration('short.test', backend.port), false);
    router.register(registration('lasting.test', backend.port));
    expect([await ask('short.test'), await ask('lasting.test')]).toEqual([200, 200]);
    router.canHear(false);
    await new Promise((resolve) => setTimeout(resolve, 800));
    expect(await ask('short.test')).toBe(200);
    router.canHear(true);
    await until('it is dropped', async () => (await ask('short.test')) === 404);
    expect(await ask('lasting.test')).toBe(200);
    expect([...router.routes().keys()]).toEqual(['lasting.test']);
  });
});

test('a route without instances is empty at first, unknown later', async () => {
  const backend = await startBackend('hello');
  await use({ empty_ms: 300 }, async (router) => {
    const message = registration('app.test', backend.port);
    router.register(message);
    router.unregister(message);
    expect((await send(router.url, 'app.test')).status).toBe(503);
    await until('it is unknown', async () => (await send(router.url, 'app.test')).status === 404);
  });
});

test('an instance with as many requests as it takes gets no more', async () => {
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  const backend = await startBackend('', (_asked, reply) => void held.then(() => reply.end('late')));
  await use({ max_requests: 2 }, async (router) => {
    router.register(registration('app.test', backend.port));
    const two = [send(router.url, 'app.test'), send(router.url, 'app.test')];
    await until('both are there', async () => backend.seen.length === 2);
    const third = await send(router.url, 'app.test');
    expect(third).toMatchObject({ status: 503, headers: { 'x-cf-routererror': 'Connection Limit Reached' } });
    release();
    expect((await Promise.all(two)).map(({ body }) => body)).toEqual(['late', 'late']);
    expect((await send(router.url, 'app.test')).status).toBe(200);
  });
});

test('an instance that says nothing is given up after the time of a request', async () => {
  const mute = await startRude(() => undefined);
  open.push(mute);
  await use({ request_ms: 200 }, async (router) => {
    router.register(registration('app.test', mute.port));
    expect((await send(router.url, 'app.test')).status).toBe(502);
  });
});

test('a client that sends no header is not waited for', async () => {
  await use({ header_ms: 300 }, async (router) => {
    const socket = connect(router.port, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nHost: slow');
    let heard = '';
    socket.setEncoding('latin1').on('data', (text: string) => (heard += text));
    await new Promise((resolve) => socket.once('close', resolve));
    expect(heard).toMatch(/^HTTP\/1.1 408 /);
  });
});

test('a client that goes away takes its request with it: 499', async () => {
  const lines: AccessRecord[] = [];
  let gone = 0;
  const backend = await startBackend('', (asked) => void asked.once('close', () => gone++));
  await use({ access: (record) => lines.push(record) }, async (router) => {
    router.register(registration('app.test', backend.port));
    const socket = connect(router.port, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nHost: app.test\r\n\r\n');
    await until('it is asked', async () => backend.seen.length === 1);
    socket.destroy();
    await until('it is let go', async () => gone === 1 && lines.length === 1);
    expect(lines[0]).toMatchObject({ source_id: APP, source_type: 'RTR', tags: { component: 'test' } });
    expect(lines[0]?.text).toContain('" 499 0 0 ');
  });
});

test('the instance is asked whether it wants a body', async () => {
  const backend = await startBackend('taken');
  await use({}, async (router) => {
    router.register(registration('app.test', backend.port));
    const socket = connect(router.port, '127.0.0.1');
    let heard = '';
    socket.setEncoding('latin1').on('data', (text: string) => (heard += text));
    socket.write('POST / HTTP/1.1\r\nHost: app.test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n');
    await until('it may go on', async () => heard.startsWith('HTTP/1.1 100 Continue\r\n\r\n'));
    socket.write('four');
    await until('it is taken', async () => heard.includes('taken'));
    expect(backend.seen[0]?.body).toBe('four');
    socket.destroy();
  });
});

test('trailers arrive', async () => {
  const backend = await startBackend('', (_asked, reply) => {
    reply.writeHead(200, { trailer: 'x-sum' });
    reply.write('body');
    reply.addTrailers({ 'x-sum': '42' });
    reply.end();
  });
  await use({}, async (router) => {
    router.register(registration('app.test', backend.port));
    expect(await send(router.url, 'app.test')).toMatchObject({ body: 'body', trailers: { 'x-sum': '42' } });
  });
});

test('an instance that closes idle connections costs nobody a request', async () => {
  const backend = await startBackend('hello');
  backend.server.keepAliveTimeout = 1;
  await use({}, async (router) => {
    router.register(registration('app.test', backend.port));
    const statuses = new Set<number>();
    for (let n = 0; n < 150; n++) {
      statuses.add((await send(router.url, 'app.test', n % 2 ? { method: 'POST', body: 'x' } : {})).status);
      await new Promise((resolve) => setTimeout(resolve, n % 4));
    }
    expect([...statuses]).toEqual([200]);
  });
}, 20_000);

test('HTTPS is told to the instance', async () => {
  const backend = await startBackend('hello');
  const ca = await makeAuthority();
  const tls = await makeLeaf(ca, { names: ['app.test'] });
  await use({ tls }, async (router) => {
    router.register(registration('app.test', backend.port));
    const dispatcher = new Agent({ connect: { ca: ca.cert, servername: 'app.test' } });
    const { statusCode } = await request(router.url, { dispatcher, headers: { host: 'app.test' } });
    await dispatcher.close();
    expect(statusCode).toBe(200);
    expect(backend.seen[0]?.headers['x-forwarded-proto']).toBe('https');
  });
});

test('closing ends what is open, also what has changed its protocol', async () => {
  const backend = await startBackend('hello');
  const router = await startRouter({ port: 0 });
  router.register(registration('app.test', backend.port));
  const socket = new WebSocket(router.url.replace('http', 'ws'), { headers: { host: 'app.test' } });
  await new Promise((resolve) => socket.once('open', resolve));
  const closed = new Promise((resolve) => socket.once('close', resolve));
  await router.close();
  await closed;
});

test('an address that is taken is refused with its name', async () => {
  await use({}, async ({ port }) => {
    await expect(startRouter({ port })).rejects.toMatchObject({ code: 'config_invalid' });
  });
});
