/**
 * The router of one machine: HTTP and WebSocket by host name and path to the instances that were registered, as
 * gorouter does. Registrations are gorouter's own messages, whether they come over NATS (`feed.ts`) or from this process.
 */
import { randomUUID } from 'node:crypto';
import { Agent, createServer, ServerResponse, type IncomingMessage } from 'node:http';
import { createServer as createSecure } from 'node:https';
import type { Socket } from 'node:net';
import type { Registration, RouterStart } from '../../backend/wire/registration.js';
import { systemClock, type Clock } from '../../core/clock.js';
import { listenOn } from '../../core/listen.js';
import { noLog, type Log } from '../../core/log.js';
import { repeat } from '../../core/retry.js';
import type { AccessRecord } from './access-log.js';
import { forward } from './forward.js';
import type { Endpoint } from './pool.js';
import { RouteTable } from './table.js';

export type { AccessRecord } from './access-log.js';
export type { Registration } from '../../backend/wire/registration.js';

export interface RouterOptions {
  /** Default: loopback. */
  host?: string;
  /** 0: any free one. */
  port: number;
  /** PEM texts; present: HTTPS is served instead of HTTP. */
  tls?: { cert: string; key: string };
  /** A line for each request that reached an application: what `cf logs` shows as `RTR`. */
  access?: (record: AccessRecord) => void;
  /** Milliseconds, as all that follow; defaults are those of a foundation. A registration lasts so long: 120 s. */
  stale_ms?: number;
  /** How often stale ones are looked for: 30 s. */
  sweep_ms?: number;
  /** How long a route without instances answers 503 before it is unknown (404): 10 s. */
  empty_ms?: number;
  /** 5 s to connect to an instance. */
  dial_ms?: number;
  /** 900 s for a whole exchange; no limit once its protocol has changed. */
  request_ms?: number;
  /** 10 s for the headers of a request. */
  header_ms?: number;
  /** 900 s that a client's connection may be idle. */
  idle_ms?: number;
  /** Instances that are asked in turn when one cannot be connected: 3. */
  max_attempts?: number;
  /** Requests that one instance is given at once: 500; 0 for any number. */
  max_requests?: number;
  /** How often registrars are asked to repeat what they register: 20 s. */
  register_ms?: number;
  clock?: Clock;
  log?: Log;
}

export interface Router {
  /** `http://host:port`. */
  readonly url: string;
  readonly port: number;
  /** What it says to registrars. */
  readonly start: RouterStart;
  /**
   * A route to an instance. `lasting` (the default): until it is unregistered, as fits a registrar of this process;
   * otherwise until it is stale. Throws bad_request for what cannot be routed to.
   */
  register(message: Registration, lasting?: boolean): void;
  /** By host and port alone, as gorouter does. */
  unregister(message: Registration): void;
  /** By `HOST` or `HOST/PATH`. */
  routes(): Map<string, Endpoint[]>;
  /** Nobody can register at present: nothing goes stale until `true` says that they can again. */
  canHear(isSo: boolean): void;
  /** Ends connections at once. */
  close(): Promise<void>;
}

/** Idle connections to instances are closed by us, before Go's and Node's servers would close them. */
const BACKEND_IDLE_MS = 4_000;
const IDLE_BACKENDS = 100;
const LARGEST_HEADER = 256 * 1_024;

/** Serves until closed. Throws config_invalid when the address cannot be had. */
export async function startRouter(options: RouterOptions): Promise<Router> {
  const { host = '127.0.0.1', clock = systemClock, log = noLog, tls, register_ms = 20_000 } = options;
  const { stale_ms = 120_000, sweep_ms = 30_000, empty_ms = 10_000, request_ms = 900_000 } = options;
  const limits = { retry_after_ms: stale_ms / 4, max_load: options.max_requests ?? 500 };
  const table = new RouteTable({ ...limits, stale_ms, empty_ms });
  const agent = new Agent({ keepAlive: true, maxFreeSockets: IDLE_BACKENDS, timeout: BACKEND_IDLE_MS });
  const deps = {
    ...{ table, limits, clock, agent, request_ms, newId: randomUUID },
    ...{ max_attempts: options.max_attempts ?? 3, dial_ms: options.dial_ms ?? 5_000 },
    access: options.access ?? (() => undefined),
  };
  const serverOptions = {
    ...{ headersTimeout: Math.min(options.header_ms ?? 10_000, request_ms), requestTimeout: request_ms },
    maxHeaderSize: LARGEST_HEADER,
    ...{ keepAliveTimeout: options.idle_ms ?? 900_000, connectionsCheckingInterval: 1_000 },
  };
  const server = tls ? createSecure({ ...serverOptions, ...tls }) : createServer(serverOptions);
  const sockets = new Set<Socket>();
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    void forward({ request, response }, deps);
  };
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('request', handle);
  // The instance is asked whether it wants the body, not we.
  server.on('checkContinue', handle);
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    socket.on('error', () => socket.destroy());
    response.once('finish', () => socket.destroySoon());
    void forward({ request, response, upgrade: { socket, head } }, deps);
  });
  const port = await listenOn(server, { host, port: options.port });

  const closing = new AbortController();
  let isHearing = true;
  const sweeping = repeat({ clock, every_ms: sweep_ms, signal: closing.signal }, () => {
    if (!isHearing) return;
    for (const [route, { host: name, port: at }] of table.prune(clock.now())) {
      log.info({ route, address: `${name}:${at}` }, 'router.route-stale');
    }
  });
  return {
    url: `${tls ? 'https' : 'http'}://${host}:${port}`,
    port,
    start: {
      ...{ id: randomUUID(), hosts: [host] },
      minimumRegisterIntervalInSeconds: Math.max(1, Math.round(register_ms / 1_000)),
      pruneThresholdInSeconds: Math.max(1, Math.round(stale_ms / 1_000)),
    },
    register: (message, lasting = true) => table.register(message, clock.now(), lasting),
    unregister: (message) => table.unregister(message, clock.now()),
    routes: () => table.routes(),
    canHear: (isSo) => {
      if (isSo && !isHearing) table.freshen(clock.now());
      isHearing = isSo;
    },
    close: async () => {
      closing.abort();
      await sweeping;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      agent.destroy();
      await closed;
    },
  };
}
