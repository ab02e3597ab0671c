import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { peer } from '../peers.js';
import { writeCerts, type CertFiles } from './certs.js';
import { Child, freePorts } from './children.js';
import { configs, type Wiring } from './configs.js';
import type { Component, Diego, DiegoOptions } from './diego.js';
import { startPostgres } from './postgres.js';

/** The real control plane, and what only tests of the real one ask for. */
export interface RealDiego extends Diego {
  readonly kind: 'real';
  readonly dir: string;
  /** Besides the good pair: expired, and signed by another authority. */
  readonly certs: CertFiles;
  /** How often the component ended by itself and was started again. */
  exits(name: Component): number;
}

/**
 * Starts PostgreSQL, Locket, BBS and auctioneer on free loopback ports; about 5 s. Supervised: BBS and auctioneer end
 * when they lose Locket and are started again, as on a foundation. Throws when a peer cannot be had: see `describePeer`.
 */
export async function startRealDiego(options: DiegoOptions = {}): Promise<RealDiego> {
  const dir = await mkdtemp(join(tmpdir(), 'unik-diego-'));
  const undo: (() => Promise<void>)[] = [() => rm(dir, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const certs = await writeCerts(join(dir, 'certs'), ['metron']);
    const postgres = await startPostgres(['locket', 'bbs']);
    undo.push(() => postgres.close());
    const ports = await freePorts(4);
    const [locket = 0, bbs = 0, bbsHealth = 0, auctioneer = 0] = ports;
    const wiring: Wiring = { certs, database: postgres.url, ports: { locket, bbs, bbsHealth, auctioneer } };
    const children = await makeChildren(dir, wiring, options);
    for (const name of ['locket', 'bbs', 'auctioneer'] as const) {
      undo.push(() => children[name].stop());
      await children[name].start();
    }
    return {
      kind: 'real',
      dir,
      certs,
      bbs_url: `https://127.0.0.1:${bbs}`,
      locket_address: `127.0.0.1:${locket}`,
      auctioneer_url: `https://127.0.0.1:${auctioneer}`,
      stop: (name) => children[name].stop(),
      start: (name) => children[name].start(),
      exits: (name) => children[name].exits,
      log: (name) => children[name].spec.log,
      close,
    };
  } catch (err) {
    await close();
    throw err;
  }
}

async function makeChildren(dir: string, wiring: Wiring, options: DiegoOptions): Promise<Record<Component, Child>> {
  const made = configs(wiring, options);
  const { ports, certs } = wiring;
  const probes: Record<Component, () => Promise<boolean>> = {
    locket: () => handshakes(ports.locket, certs),
    bbs: () => serves(ports.bbs, '/v1/ping', certs),
    auctioneer: () => handshakes(ports.auctioneer, certs),
  };
  const child = async (name: Component): Promise<Child> => {
    const config = join(dir, `${name}.json`);
    await writeFile(config, JSON.stringify(made[name], null, 2), { mode: 0o600 });
    return new Child({
      name,
      file: peer(name),
      args: [`-config=${config}`],
      log: join(dir, `${name}.log`),
      cwd: dir,
      ready: probes[name],
    });
  };
  return { locket: await child('locket'), bbs: await child('bbs'), auctioneer: await child('auctioneer') };
}

/** Does the port complete a TLS handshake with our certificate? The auctioneer listens only once it holds its lock. */
function handshakes(port: number, certs: CertFiles): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectTls({ host: '127.0.0.1', port, ...identity(certs) }, () => done(true));
    const done = (value: boolean): void => {
      socket.destroy();
      resolve(value);
    };
    socket.setTimeout(2_000, () => done(false));
    socket.once('error', () => done(false));
  });
}

/** Does a POST give 200? The BBS answers 503 until its migrations are done. */
function serves(port: number, path: string, certs: CertFiles): Promise<boolean> {
  return new Promise((resolve) => {
    const sent = request({
      host: '127.0.0.1',
      port,
      path,
      method: 'POST',
      timeout: 2_000,
      agent: false,
      ...identity(certs),
    });
    sent.once('response', (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    sent.once('timeout', () => sent.destroy());
    sent.once('error', () => resolve(false));
    sent.once('close', () => resolve(false));
    sent.end();
  });
}

function identity(certs: CertFiles): { ca: Buffer; cert: Buffer; key: Buffer } {
  return { ca: readFileSync(certs.ca), cert: readFileSync(certs.cert), key: readFileSync(certs.key) };
}
