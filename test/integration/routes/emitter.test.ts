import { afterEach, expect, test } from '@jest/globals';
import { connect } from 'node:net';
import { createNats, type Nats } from '../../../backend/wire/nats.js';
import { systemClock } from '../../../core/clock.js';
import { noLog } from '../../../core/log.js';
import { startLocalNats, type LocalNats } from '../../../localcf/nats/index.js';
import { feedRouter } from '../../../localcf/router/feed.js';
import { startRouter, type Router } from '../../../localcf/router/index.js';
import { freePorts } from '../../support/diego/children.js';
import { registration, startBackend } from '../../support/routes/backend.js';
import { send, until } from '../../support/routes/client.js';
import { startEmitter } from '../../support/routes/emitter.js';

const LOGIN = { user: 'nats', password: 'of the test' };
const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function broker(port = 0): Promise<LocalNats> {
  const made = await startLocalNats({ port, ...LOGIN });
  open.push(() => made.close());
  return made;
}

function client(servers: string[], more: { password?: string } = {}): Nats {
  const nats = createNats({ servers, ...LOGIN, ...more, name: 'test', clock: systemClock, log: noLog, retry_ms: 50 });
  open.push(() => nats.close());
  return nats;
}

async function router(register_ms = 1_000): Promise<Router> {
  const made = await startRouter({ port: 0, empty_ms: 0, register_ms, stale_ms: 5_000, sweep_ms: 100 });
  open.push(() => made.close());
  return made;
}

function emit(wire: Nats) {
  const made = startEmitter(wire);
  open.push(() => made.emitter.close());
  return made;
}

async function backend(name: string): Promise<number> {
  const made = await startBackend(name);
  open.push(() => made.close());
  return made.port;
}

test('an instance is reached while it is ready, by each of its names, and not a moment longer', async () => {
  const nats = await broker();
  const { url, ...rest } = await router();
  feedRouter({ url, ...rest }, nats.wire, noLog);
  const { instances } = emit(client([nats.address]));
  instances.run('one', 0, await backend('one'), ['app.test', 'www.app.test/path']);
  await until('it is reached', async () => (await send(url, 'app.test')).body === 'one');
  expect((await send(url, 'www.app.test', { path: '/path/x' })).body).toBe('one');
  instances.change('one', { routable: false });
  await until('it is not ready', async () => (await send(url, 'app.test')).status === 404);
  instances.change('one', { routable: true });
  await until('it is ready again', async () => (await send(url, 'app.test')).status === 200);
  instances.change('one', { stopped: true });
  await until('it is asked to end', async () => (await send(url, 'app.test')).status === 404);
});

test('the interval is the router’s, and a router that starts later learns everything', async () => {
  const nats = await broker();
  const { instances, emitter } = emit(client([nats.address]));
  instances.run('one', 0, await backend('one'), ['app.test']);
  expect(emitter.stats().interval_ms).toBe(20_000);
  const late = await router(2_000);
  feedRouter(late, nats.wire, noLog);
  await until('it is reached', async () => (await send(late.url, 'app.test')).status === 200);
  expect(emitter.stats().interval_ms).toBe(2_000);
  const { registers } = emitter.stats();
  await until('it is told again', async () => emitter.stats().registers > registers);
});

test('what cannot be understood of a router changes nothing', async () => {
  const nats = await broker();
  const { emitter, instances } = emit(client([nats.address]));
  instances.run('one', 0, 1, ['app.test']);
  await until('it is connected', async () => emitter.stats().registers > 0);
  for (const payload of [{}, { minimumRegisterIntervalInSeconds: 'x', pruneThresholdInSeconds: 1 }]) {
    nats.wire.publish('router.start', payload);
  }
  nats.wire.publish('router.start', { minimumRegisterIntervalInSeconds: 0, pruneThresholdInSeconds: 0 });
  await until('a second is the least', async () => emitter.stats().interval_ms === 1_000);
});

test('with NATS gone the routes stay; when it is back all is told again, and what ended meanwhile is taken away', async () => {
  const [port = 0] = await freePorts(1);
  const first = await startLocalNats({ port, ...LOGIN });
  const made = await router();
  // As a foundation's router, over the network.
  const theirs = client([first.address]);
  feedRouter(made, theirs, noLog);
  const ours = client([first.address]);
  const { instances } = emit(ours);
  for (const [i, name] of ['stays', 'goes'].entries()) instances.run(name, i, await backend(name), [`${name}.test`]);
  await until('both are reached', async () => made.routes().size === 2);
  await first.close();
  await until('both sides noticed', async () => !ours.isConnected && !theirs.isConnected);
  instances.change('goes', { stopped: true });
  instances.run('comes', 2, await backend('comes'), ['comes.test']);
  expect((await send(made.url, 'stays.test')).status).toBe(200);
  await broker(port);
  await until('what ended is away, what began is there', async () => {
    return [...made.routes().keys()].sort().join() === 'comes.test,stays.test';
  });
}, 30_000);

test('one of several servers is enough, and the next is taken when it goes', async () => {
  const dead = `127.0.0.1:${(await freePorts(1))[0]}`;
  const [first, second] = [await startLocalNats({ port: 0, ...LOGIN }), await broker()];
  const heard: string[] = [];
  for (const { wire } of [first, second]) wire.subscribe('router.register', ({ subject }) => heard.push(subject));
  const nats = client([dead, first.address, second.address]);
  const { instances } = emit(nats);
  instances.run('one', 0, 1, ['app.test']);
  await until('it is told', async () => heard.length > 0);
  await first.close();
  await until('it is connected', async () => nats.isConnected);
  const before = heard.length;
  instances.run('two', 1, 2, ['app.test']);
  await until('it is told the other', async () => heard.length > before);
});

test('the old instance’s goodbye does not take away the new one at its port, at once or repeated', async () => {
  const nats = await broker();
  const made = await router();
  feedRouter(made, nats.wire, noLog);
  const { instances, emitter } = emit(client([nats.address]));
  const port = await backend('same port');
  instances.run('old', 0, port, ['app.test']);
  await until('the old one is reached', async () => (await send(made.url, 'app.test')).status === 200);
  instances.change('old', { stopped: true });
  await until('it is gone', async () => (await send(made.url, 'app.test')).status === 404);
  instances.run('new', 0, port, ['app.test']);
  await until('the new one is reached', async () => (await send(made.url, 'app.test')).status === 200);
  instances.set('old', undefined);
  const { unregisters } = emitter.stats();
  // Goodbyes are repeated each 200 ms.
  for (let n = 0; n < 50; n++) {
    expect((await send(made.url, 'app.test')).status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(emitter.stats().unregisters).toBe(unregisters);
});

test('a goodbye that was not heard is said again', async () => {
  const nats = await broker();
  const { instances, emitter } = emit(client([nats.address]));
  instances.run('one', 0, await backend('one'), ['app.test']);
  await until('it is told', async () => emitter.stats().registers > 0);
  instances.change('one', { stopped: true });
  // This router heard the registration and not the goodbye.
  const made = await router();
  made.register(registration('app.test', instances.get('one')?.net?.ports[0]?.host_port ?? 0));
  feedRouter(made, nats.wire, noLog);
  await until('it is gone', async () => (await send(made.url, 'app.test')).status === 404);
});

test('who does not know the password is told nothing', async () => {
  const nats = await broker();
  const stranger = client([nats.address], { password: 'another' });
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(stranger.isConnected).toBe(false);
  const [, port] = nats.address.split(':');
  for (const text of ['SUB router.* 1\r\n', 'CONNECT {"user":"nats"}\r\n', 'GET / HTTP/1.1\r\n']) {
    const socket = connect(Number(port), '127.0.0.1');
    let heard = '';
    socket.setEncoding('utf8').on('data', (more: string) => (heard += more));
    socket.write(text);
    await new Promise((resolve) => socket.once('close', resolve));
    expect(heard).toMatch(/^INFO .*\r\n-ERR '/);
  }
});
