import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { peer } from '../peers.js';
import { Child, freePorts } from './children.js';
import type { Diego } from './diego.js';
import { keepOnLoopback } from './loopback.js';

/** One place a route leads to, as the gorouter's status port tells it. */
export interface Endpoint {
  address: string;
  ttl?: number;
  tls?: boolean;
  tags?: Record<string, string> | null;
  private_instance_id?: string;
}

export type RouterPart = 'nats' | 'gorouter' | 'route-emitter';

/** The real router: NATS, gorouter and, beside a Diego, its route-emitter. */
export interface Router {
  /** `http://127.0.0.1:PORT`; the Host header chooses the app. Works as an HTTP proxy, too: no DNS needed. */
  readonly url: string;
  /** Where to register: server and login. */
  readonly nats: { readonly address: string; readonly user: string; readonly password: string };
  /** The gorouter's table: host name to endpoints. */
  routes(): Promise<Record<string, Endpoint[]>>;
  stop(part: RouterPart): Promise<void>;
  start(part: RouterPart): Promise<void>;
  log(part: RouterPart): string;
  /** Lines of the gorouter's access log. */
  accessLines(): Promise<string[]>;
  close(): Promise<void>;
}

export interface RouterOptions {
  /** The Diego whose routes the real route-emitter registers. Without it nobody does but the test or our cell. */
  emitter_of?: Diego;
  /** After this long without registration a plain endpoint is dropped. Default 120 s, as on a foundation. */
  stale_ms?: number;
  /** How often what is stale is looked for. Default a quarter of that. */
  sweep_ms?: number;
  /** A route whose last instance went answers 503 for so long, then 404. Default: 404 at once. */
  empty_ms?: number;
}

const PARTS = ['nats', 'gorouter', 'route-emitter'] as const;
const LOGIN = { user: 'nats', password: 'a password of the test' };

/** Starts NATS and gorouter, with `emitter_of` the route-emitter, on free loopback ports; about 3 s. Needs root. */
export async function startRouter(options: RouterOptions = {}): Promise<Router> {
  const dir = await mkdtemp(join(tmpdir(), 'unik-router-'));
  const undo: (() => Promise<void>)[] = [() => rm(dir, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const [nats = 0, proxy = 0, status = 0, routes = 0, services = 0, health = 0] = await freePorts(6);
    undo.push(await keepOnLoopback([proxy, status]));
    const ports = { nats, proxy, status, routes, services, health };
    const children = await makeChildren(dir, ports, options);
    for (const part of PARTS) {
      if (part === 'route-emitter' && !options.emitter_of) continue;
      undo.push(() => children[part].stop());
      await children[part].start();
    }
    return {
      url: `http://127.0.0.1:${proxy}`,
      nats: { address: `127.0.0.1:${nats}`, ...LOGIN },
      routes: () => readRoutes(routes),
      stop: (part) => children[part].stop(),
      start: (part) => children[part].start(),
      log: (part) => children[part].spec.log,
      accessLines: async () => (await readFile(accessFile(dir), 'utf8')).split('\n').filter(Boolean),
      close,
    };
  } catch (err) {
    await close();
    throw err;
  }
}

type Ports = Record<'nats' | 'proxy' | 'status' | 'routes' | 'services' | 'health', number>;

async function makeChildren(dir: string, ports: Ports, options: RouterOptions): Promise<Record<RouterPart, Child>> {
  const { emitter_of } = options;
  const write = async (name: string, content: object): Promise<string> => {
    const path = join(dir, `${name}.json`);
    await writeFile(path, JSON.stringify(content, null, 2), { mode: 0o600 });
    return path;
  };
  // Both read JSON: the NATS format and YAML are wider.
  const natsFile = await write('nats', { listen: `127.0.0.1:${ports.nats}`, authorization: LOGIN });
  const routerFile = await write('gorouter', gorouterConfig(dir, ports, options));
  const emitterFile = emitter_of ? await write('route-emitter', emitterConfig(ports, emitter_of)) : '';
  const child = (name: RouterPart, file: string, args: string[], ready: () => Promise<boolean>): Child =>
    new Child({ name, file, args, ready, log: join(dir, `${name}.log`), cwd: dir });
  return {
    nats: child('nats', peer('nats-server'), ['-c', natsFile], () => natsGreets(ports.nats)),
    gorouter: child('gorouter', peer('gorouter'), ['-c', routerFile], () =>
      healthy(`http://127.0.0.1:${ports.status}/health`),
    ),
    'route-emitter': child('route-emitter', emitter_of ? peer('route-emitter') : '', [`-config=${emitterFile}`], () =>
      healthy(`http://127.0.0.1:${ports.health}/ping`),
    ),
  };
}

const accessFile = (dir: string): string => join(dir, 'access.log');

function gorouterConfig(dir: string, ports: Ports, options: RouterOptions): object {
  const { stale_ms = 120_000, sweep_ms = Math.max(1_000, stale_ms / 4), empty_ms = 0 } = options;
  return {
    nats: { hosts: [{ hostname: '127.0.0.1', port: ports.nats }], user: LOGIN.user, pass: LOGIN.password },
    port: ports.proxy,
    status: { port: ports.status, user: LOGIN.user, pass: LOGIN.password, routes: { port: ports.routes } },
    route_services_internal_server_port: ports.services,
    // At least a second: the route-emitter makes a ticker of it, and zero ends it.
    start_response_delay_interval: '1s',
    prune_stale_droplets_interval: `${sweep_ms}ms`,
    droplet_stale_threshold: `${stale_ms}ms`,
    suspend_pruning_if_nats_unavailable: true,
    empty_pool_response_code_503: empty_ms > 0,
    empty_pool_timeout: `${empty_ms}ms`,
    access_log: { file: accessFile(dir) },
    backends: { max_attempts: 3 },
    disable_keep_alives: false,
    max_idle_conns: 100,
    max_idle_conns_per_host: 10,
    endpoint_timeout: '900s',
    logging: { level: 'info', format: { timestamp: 'rfc3339' } },
  };
}

/** Global mode: one emitter for all cells, with a lock in Locket. */
function emitterConfig(ports: Ports, diego: Diego): object {
  const { ca, cert, key } = diego.certs;
  return {
    log_level: 'info',
    time_format: 'rfc3339',
    report_interval: '1m',
    bbs_address: diego.bbs_url,
    bbs_ca_cert_file: ca,
    bbs_client_cert_file: cert,
    bbs_client_key_file: key,
    locket_enabled: true,
    locket_address: diego.locket_address,
    locket_ca_cert_file: ca,
    locket_client_cert_file: cert,
    locket_client_key_file: key,
    uuid: 'route-emitter-of-the-test',
    nats_addresses: `127.0.0.1:${ports.nats}`,
    nats_username: LOGIN.user,
    nats_password: LOGIN.password,
    sync_interval: '5s',
    communication_timeout: '10s',
    healthcheck_address: `127.0.0.1:${ports.health}`,
    route_emitting_workers: 20,
    unregistration_interval: '1s',
    unregistration_send_count: 5,
    tcp_route_ttl: '2m',
    enable_internal_emitter: false,
  };
}

async function readRoutes(port: number): Promise<Record<string, Endpoint[]>> {
  const login = Buffer.from(`${LOGIN.user}:${LOGIN.password}`).toString('base64');
  const reply = await fetch(`http://127.0.0.1:${port}/routes`, {
    headers: { authorization: `Basic ${login}` },
    signal: AbortSignal.timeout(5_000),
  });
  if (!reply.ok) throw new Error(`the gorouter's routes: status ${reply.status}`);
  return (await reply.json()) as Record<string, Endpoint[]>;
}

const healthy = (url: string): Promise<boolean> =>
  fetch(url, { signal: AbortSignal.timeout(2_000) }).then(
    (reply) => reply.ok,
    () => false,
  );

/** The server greets with INFO: it serves. */
export function natsGreets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const done = (value: boolean): void => {
      socket.destroy();
      resolve(value);
    };
    socket.setTimeout(2_000, () => done(false));
    socket.once('data', () => done(true));
    socket.once('error', () => done(false));
  });
}
