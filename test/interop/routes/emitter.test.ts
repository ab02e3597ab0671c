import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Nats } from '../../../backend/wire/nats.js';
import { writeCerts } from '../../support/diego/certs.js';
import { describePeer } from '../../support/peers.js';
import { startBackend, type Backend } from '../../support/routes/backend.js';
import { send, until } from '../../support/routes/client.js';
import { startEmitter, type Instances } from '../../support/routes/emitter.js';
import { natsClient, startGround, startNatsServer, type Ground } from '../../support/routes/ground.js';
import { natsAway } from '../../support/routes/outage.js';

/** As an acceptance line says it. */
const SOON_MS = 1_000;

describePeer('Routes over the real NATS server', ['nats-server'], () => {
  let ground: Ground;
  let wire: Nats;
  let instances: Instances;
  let close: () => Promise<void>;
  const backends: Backend[] = [];
  beforeAll(async () => {
    ground = await startGround({ stale_ms: 120_000, sweep_ms: 30_000 });
    wire = natsClient(ground.nats);
    const made = startEmitter(wire);
    instances = made.instances;
    close = () => made.emitter.close();
    await until('it is connected', async () => wire.isConnected);
  }, 60_000);
  afterAll(async () => {
    await close();
    await wire.close();
    for (const backend of backends) await backend.close();
    await ground.close();
  }, 30_000);

  async function run(guid: string, index: number, host: string, port?: number): Promise<Backend> {
    const backend = await startBackend(guid);
    backends.push(backend);
    instances.run(guid, index, port ?? backend.port, [host]);
    return backend;
  }
  const bodies = async (host: string, count: number): Promise<string[]> =>
    Promise.all(Array.from({ length: count }, async () => (await send(ground.url, host)).body));

  test('two hundred requests are spread over three instances; one that dies costs none of them', async () => {
    const host = 'three.test';
    const made = [];
    for (const [i, name] of ['3-a', '3-b', '3-c'].entries()) made.push(await run(name, i, host));
    await until('all answer', async () => new Set(await bodies(host, 9)).size === 3);
    const spread = await bodies(host, 200);
    const counts = ['3-a', '3-b', '3-c'].map((name) => spread.filter((one) => one === name).length);
    expect(counts.reduce((sum, one) => sum + one)).toBe(200);
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(60);
    // It dies without a word: its port refuses.
    await made[0]?.close();
    const statuses: number[] = [];
    for (let n = 0; n < 60; n++) {
      statuses.push((await send(ground.url, host)).status);
      if (n === 30) instances.change('3-a', { state: 'completed', routable: false });
    }
    expect(new Set(statuses)).toEqual(new Set([200]));
  }, 60_000);

  test('what begins or ends is known within a second', async () => {
    const host = 'soon.test';
    const times: number[] = [];
    const measure = async (what: string, holds: () => Promise<boolean>): Promise<void> => {
      const began = performance.now();
      await until(what, holds);
      times.push(performance.now() - began);
    };
    await run('s-a', 0, host);
    await measure('the first', async () => (await send(ground.url, host)).status === 200);
    await run('s-b', 1, host);
    await measure('the second', async () => new Set(await bodies(host, 4)).size === 2);
    instances.change('s-b', { stopped: true });
    await measure('one is gone', async () => new Set(await bodies(host, 4)).size === 1);
    instances.change('s-a', { stopped: true });
    await measure('all are gone', async () => (await send(ground.url, host)).status === 404);
    process.stderr.write(`routes by ${ground.router}: known after ${times.map((ms) => ms.toFixed(0)).join(', ')} ms\n`);
    expect(Math.max(...times)).toBeLessThan(SOON_MS);
  }, 60_000);

  test('the goodbye of an old instance does not reach the new one at its port', async () => {
    const host = 'reuse.test';
    const { port } = await run('r-old', 0, host);
    await until('the old one answers', async () => (await send(ground.url, host)).status === 200);
    instances.change('r-old', { stopped: true });
    await until('it is gone', async () => (await send(ground.url, host)).status === 404);
    instances.run('r-new', 0, port, [host]);
    await until('the new one answers', async () => (await send(ground.url, host)).status === 200);
    instances.set('r-old', undefined);
    // This emitter repeats goodbyes each 200 ms.
    for (let n = 0; n < 40; n++) {
      expect((await send(ground.url, host)).status).toBe(200);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    // That such a goodbye would have harmed: a router asks for no instance, only for an address.
    const message = { host: '127.0.0.1', port, uris: [host], private_instance_id: 'r-old' };
    wire.publish('router.unregister', message);
    await until('it is harmed', async () => (await send(ground.url, host)).status === 404);
    await until('the next registration mends it', async () => (await send(ground.url, host)).status === 200);
  }, 60_000);
});

describePeer('NATS that goes away', ['nats-server'], () => {
  test('for longer than routes live: no route is lost', () => natsAway({ away_ms: 9_000, stale_ms: 2_000 }), 90_000);
});

describePeer('NATS with certificates', ['nats-server'], () => {
  let dir: string;
  let server: Awaited<ReturnType<typeof startNatsServer>>;
  let tls: { ca: string; cert: string; key: string };
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'unik-nats-certs-'));
    const files = await writeCerts(join(dir, 'certs'), ['localhost']);
    server = await startNatsServer(files);
    const [ca = '', cert = '', key = ''] = await Promise.all(
      [files.ca, files.cert, files.key].map((file) => readFile(file, 'utf8')),
    );
    tls = { ca, cert, key };
  }, 60_000);
  afterAll(async () => {
    await server.close();
    await rm(dir, { recursive: true, force: true });
  });

  /** Is it connected, after a while? */
  async function connects(nats: Nats, isMeantTo: boolean): Promise<boolean> {
    try {
      if (isMeantTo) await until('it is connected', async () => nats.isConnected);
      else await new Promise((resolve) => setTimeout(resolve, 1_500));
      return nats.isConnected;
    } finally {
      await nats.close();
    }
  }

  test('a client with its certificate is let in', async () => {
    expect(await connects(natsClient(server.nats, { tls }), true)).toBe(true);
  });

  test('one without is not', async () => {
    expect(await connects(natsClient(server.nats), false)).toBe(false);
  });

  test('a server of another authority is not believed', async () => {
    const others = await writeCerts(join(dir, 'others'), ['localhost']);
    const ca = await readFile(others.ca, 'utf8');
    expect(await connects(natsClient(server.nats, { tls: { ...tls, ca } }), false)).toBe(false);
  }, 30_000);

  test('a server without TLS is not told the password', async () => {
    const plain = await startNatsServer();
    try {
      expect(await connects(natsClient(plain.nats, { tls }), false)).toBe(false);
    } finally {
      await plain.close();
    }
  }, 30_000);
});
