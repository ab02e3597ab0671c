import { request } from 'undici';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials, Client } from '@grpc/grpc-js';
import type { Identity } from '../../../backend/wire/bbs.js';
import { encode } from '../../../backend/wire/codec.js';
import type { NewEnvelope } from '../../../backend/wire/loggregator.js';
import { writeCerts, type CertFiles } from '../diego/certs.js';
import { Child, freePorts } from '../diego/children.js';
import { keepOnLoopback } from '../diego/loopback.js';
import { peer } from '../peers.js';

export type LogPeer =
  'forwarder-agent' | 'syslog-agent' | 'log-cache-syslog-server' | 'log-cache' | 'log-cache-gateway';

/** What `startLogCache` needs, and what the whole way needs. */
export const CACHE_PEERS: readonly LogPeer[] = ['log-cache', 'log-cache-gateway'];
export const ALL_PEERS: readonly LogPeer[] = [
  ...CACHE_PEERS,
  'log-cache-syslog-server',
  'syslog-agent',
  'forwarder-agent',
];

export interface RealLogs {
  /** `http://127.0.0.1:PORT` of log-cache's gateway. */
  readonly gateway: string;
  /** `127.0.0.1:PORT` of the forwarder agent. */
  readonly agent: string;
  /** Good for the agent's clients. */
  readonly tls: Identity;
  stop(name: LogPeer): Promise<void>;
  start(name: LogPeer): Promise<void>;
  /** Puts envelopes into log-cache itself. */
  put(envelopes: readonly NewEnvelope[]): Promise<void>;
  log(name: LogPeer): Promise<string>;
  close(): Promise<void>;
}

/**
 * Starts the named programs, on free ports of loopback: agent -> syslog agent -> syslog server -> log-cache -> gateway.
 * Some of them listen on every address, so the rest of the network is kept out; that needs root.
 */
export async function startRealLogs(names: readonly LogPeer[]): Promise<RealLogs> {
  const dir = await mkdtemp(join(tmpdir(), 'unik-logs-'));
  const undo: (() => Promise<void>)[] = [() => rm(dir, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const certs = await writeCerts(join(dir, 'certs'), ['metron']);
    const ports = await takePorts();
    undo.push(await keepOnLoopback(Object.values(ports)));
    const glob = join(dir, 'downstream.yml');
    await writeFile(glob, `ingress: ${ports['syslog-agent']}\n`);
    const children = makeChildren({ dir, certs, ports, glob });
    // Each needs those before it.
    for (const name of ALL_PEERS.filter((one) => names.includes(one))) {
      undo.push(() => children[name].stop());
      await children[name].start();
    }
    const [ca, cert, key] = await Promise.all([certs.ca, certs.cert, certs.key].map((path) => readFile(path, 'utf8')));
    const cache = new Client(`127.0.0.1:${ports['log-cache']}`, credentials.createInsecure());
    undo.push(async () => cache.close());
    return {
      gateway: `http://127.0.0.1:${ports['log-cache-gateway']}`,
      agent: `127.0.0.1:${ports['forwarder-agent']}`,
      tls: { ca: ca ?? '', cert: cert ?? '', key: key ?? '' },
      stop: (name) => children[name].stop(),
      start: (name) => children[name].start(),
      put: (envelopes) => put(cache, envelopes),
      log: (name) => readFile(children[name].spec.log, 'utf8'),
      close,
    };
  } catch (err) {
    await close();
    throw err;
  }
}

type Ports = Record<LogPeer | `${LogPeer} metrics`, number>;

async function takePorts(): Promise<Ports> {
  const names = ALL_PEERS.flatMap((name) => [name, `${name} metrics`] as const);
  const ports = await freePorts(names.length);
  return Object.fromEntries(names.map((name, i) => [name, ports[i]])) as Ports;
}

interface Wiring {
  dir: string;
  certs: CertFiles;
  ports: Ports;
  glob: string;
}

function makeChildren({ dir, certs, ports, glob }: Wiring): Record<LogPeer, Child> {
  const at = (name: LogPeer): string => `127.0.0.1:${ports[name]}`;
  const files = (prefix: string): Record<string, string> => ({
    [`${prefix}_CA_FILE_PATH`]: certs.ca,
    [`${prefix}_CERT_FILE_PATH`]: certs.cert,
    [`${prefix}_KEY_FILE_PATH`]: certs.key,
  });
  const envs: Record<LogPeer, Record<string, string>> = {
    'log-cache': { ADDR: at('log-cache'), NODE_INDEX: '0', NODE_ADDRS: at('log-cache'), MAX_PER_SOURCE: '200000' },
    'log-cache-gateway': { ADDR: at('log-cache-gateway'), LOG_CACHE_ADDR: at('log-cache') },
    'log-cache-syslog-server': {
      SYSLOG_PORT: String(ports['log-cache-syslog-server']),
      LOG_CACHE_ADDR: at('log-cache'),
    },
    'syslog-agent': {
      AGENT_PORT: String(ports['syslog-agent']),
      // Where it tells of lines that it lost.
      LOGGREGATOR_AGENT_ADDR: at('forwarder-agent'),
      AGGREGATE_DRAIN_URLS: `syslog://${at('log-cache-syslog-server')}?include-metrics-deprecated=true`,
      ...files('AGENT'),
      ...files('METRICS'),
    },
    'forwarder-agent': {
      AGENT_PORT: String(ports['forwarder-agent']),
      AGENT_TAGS: 'deployment:cf,job:unik-cell,index:0,ip:10.0.0.9',
      DOWNSTREAM_INGRESS_PORT_GLOB: glob,
      ...files('AGENT'),
      ...files('METRICS'),
    },
  };
  const child = (name: LogPeer): Child =>
    new Child({
      name,
      file: peer(name),
      args: [],
      log: join(dir, `${name}.log`),
      env: { ...envs[name], METRICS_PORT: String(ports[`${name} metrics`]), PATH: process.env['PATH'] },
      ready: () => isOpen(ports[name]),
      // The agent is killed: stopped politely it would first pass on what it has.
      end: name === 'forwarder-agent' ? 'SIGKILL' : 'SIGTERM',
    });
  return Object.fromEntries(ALL_PEERS.map((name) => [name, child(name)])) as Record<LogPeer, Child>;
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

function put(cache: Client, envelopes: readonly NewEnvelope[]): Promise<void> {
  const same = (bytes: Buffer): Buffer => bytes;
  const body = encode('logcache.v1.LogCacheSendRequest', { envelopes: { batch: [...envelopes] }, local_only: true });
  return new Promise((resolve, reject) => {
    const deadline = Date.now() + 10_000;
    cache.makeUnaryRequest('/logcache.v1.Ingress/Send', same, same, body, { deadline }, (err) =>
      err ? reject(err) : resolve(),
    );
  });
}

/** Status and JSON of a GET. */
export async function getJson(url: string): Promise<{ status: number; body: unknown }> {
  const reply = await request(url, { headersTimeout: 10_000, bodyTimeout: 10_000 });
  const text = await reply.body.text();
  return { status: reply.statusCode, body: text.startsWith('{') ? (JSON.parse(text) as unknown) : text };
}
