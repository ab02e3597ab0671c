/** The real NATS server and a router that listens to it: the real gorouter where there is one, else ours. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createNats, type Nats, type NatsOptions } from '../../../backend/wire/nats.js';
import { systemClock } from '../../../core/clock.js';
import { noLog } from '../../../core/log.js';
import { feedRouter } from '../../../localcf/router/feed.js';
import { startRouter as startOurs } from '../../../localcf/router/index.js';
import { Child, freePorts } from '../diego/children.js';
import { natsGreets, startRouter } from '../diego/router.js';
import { missingPeers, peer } from '../peers.js';

export interface Ground {
  /** Which router it is: `gorouter`, or `localcf/router`. */
  readonly router: string;
  readonly url: string;
  readonly nats: { readonly address: string; readonly user: string; readonly password: string };
  stopNats(): Promise<void>;
  startNats(): Promise<void>;
  close(): Promise<void>;
}

export interface GroundOptions {
  /** After so long without registration a route is dropped. */
  stale_ms: number;
  sweep_ms: number;
}

/** Routers ask for registrations every second. */
export async function startGround(options: GroundOptions): Promise<Ground> {
  if (missingPeers(['gorouter']).length === 0) {
    const real = await startRouter({ ...options, empty_ms: 0 });
    return {
      ...{ router: 'gorouter', url: real.url, nats: real.nats },
      stopNats: () => real.stop('nats'),
      startNats: () => real.start('nats'),
      close: () => real.close(),
    };
  }
  process.stderr.write(`${missingPeers(['gorouter']).join()}: our own router stands in for it\n`);
  const server = await startNatsServer();
  const router = await startOurs({ port: 0, ...options, empty_ms: 0, register_ms: 1_000 });
  const wire = natsClient(server.nats);
  feedRouter(router, wire, noLog);
  return {
    ...{ router: 'localcf/router', url: router.url, nats: server.nats },
    stopNats: () => server.child.stop(),
    startNats: () => server.child.start(),
    close: async () => {
      await wire.close();
      await router.close();
      await server.close();
    },
  };
}

export function natsClient(nats: Ground['nats'], more: Partial<NatsOptions> = {}): Nats {
  const { address, user, password } = nats;
  const login = { servers: [address], user, password, name: 'test', clock: systemClock, log: noLog };
  return createNats({ ...login, ...more });
}

/** The real server alone. `tls`: files of its certificate; clients must have one too. */
export async function startNatsServer(tls?: { ca: string; cert: string; key: string }) {
  const dir = await mkdtemp(join(tmpdir(), 'unik-nats-'));
  const [port = 0] = await freePorts(1);
  const login = { user: 'nats', password: 'a password of the test' };
  const secure = tls && { tls: { ca_file: tls.ca, cert_file: tls.cert, key_file: tls.key, verify: true, timeout: 5 } };
  const file = join(dir, 'nats.json');
  await writeFile(file, JSON.stringify({ listen: `127.0.0.1:${port}`, authorization: login, ...secure }), {
    mode: 0o600,
  });
  const child = new Child({
    ...{ name: 'nats-server', file: peer('nats-server'), args: ['-c', file], log: join(dir, 'log'), cwd: dir },
    ready: () => natsGreets(port),
  });
  await child.start();
  const close = async (): Promise<void> => {
    await child.stop();
    await rm(dir, { recursive: true, force: true });
  };
  return { nats: { address: `127.0.0.1:${port}`, ...login }, child, close };
}
