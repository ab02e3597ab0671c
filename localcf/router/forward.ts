/** One exchange from its first header to its line in the access log. */
import type { Agent, IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../../core/clock.js';
import { messageOf } from '../../core/errors.js';
import { accessRecord, type AccessRecord, type Exchange } from './access-log.js';
import { ask, type Answer } from './ask.js';
import {
  forEndpoint,
  forwarded,
  returned,
  stickyCookie,
  valueOf,
  wantedInstance,
  type Pairs,
  type Visit,
} from './headers.js';
import { failed, lookup, overloaded, refuse, type Refusal } from './lookup.js';
import type { Endpoint, Pool, PoolLimits } from './pool.js';
import type { RouteTable } from './table.js';

export interface ForwardDeps {
  table: RouteTable;
  limits: PoolLimits;
  clock: Clock;
  agent: Agent;
  newId: () => string;
  access: (record: AccessRecord) => void;
  max_attempts: number;
  dial_ms: number;
  /** From the first header to the end of the reply; not of what changed its protocol. */
  request_ms: number;
}

export interface Caller {
  request: IncomingMessage;
  response: ServerResponse;
  /** What followed the headers of a request that wants to change its protocol. */
  upgrade?: { socket: Socket; head: Buffer };
}

const REPEATABLE = ['GET', 'HEAD', 'OPTIONS', 'TRACE'];

/** Resolves when all is over. Never rejects. */
export async function forward(caller: Caller, deps: ForwardDeps): Promise<void> {
  const { response } = caller;
  const exchange = begin(caller, deps);
  const gone = new AbortController();
  const limit = setTimeout(() => gone.abort(new Error('context deadline exceeded')), deps.request_ms);
  response.once('close', () => gone.abort());
  const work: Work = { ...deps, caller, exchange, signal: gone.signal, settle: () => clearTimeout(limit) };
  try {
    const found = admit(work);
    if ('status' in found) refuseWith(work, found);
    else await tryEach(work, found);
  } catch (err) {
    // A reply that Node does not pass on, such as one with a forbidden header.
    if (response.headersSent) response.destroy();
    else refuseWith(work, failed(messageOf(err)));
  } finally {
    clearTimeout(limit);
    exchange.times.ended = deps.clock.now();
    // The client did not wait for an answer.
    if (exchange.status === 0) exchange.status = 499;
    const record = accessRecord(exchange);
    if (record) deps.access(record);
  }
}

interface Work extends ForwardDeps {
  caller: Caller;
  exchange: Exchange;
  signal: AbortSignal;
  /** The time of the request no longer counts. */
  settle: () => void;
}

function begin({ request }: Caller, { clock, newId }: ForwardDeps): Exchange {
  const { remoteAddress = '', remotePort = 0 } = request.socket;
  const { host, url } = targetOf(request);
  return {
    ...{ host, url, method: request.method ?? 'GET', http_version: request.httpVersion, headers: request.headers },
    ...{ remote: `${remoteAddress}:${remotePort}`, request_id: newId(), status: 0, received: 0, sent: 0 },
    ...{ endpoint: undefined, router_error: '', times: { began: clock.now(), ended: 0 } },
  };
}

/** A client that takes the router for its proxy asks for a whole URL. */
function targetOf({ url = '/', headers }: IncomingMessage): { host: string; url: string } {
  const [, host, rest = ''] = /^https?:\/\/([^/?]+)(.*)$/is.exec(url) ?? [];
  if (host === undefined) return { host: headers.host ?? '', url };
  return { host, url: rest.startsWith('/') ? rest : `/${rest}` };
}

function admit({ caller, exchange, table, limits, clock }: Work): Pool | Refusal {
  const { request, upgrade } = caller;
  if (upgrade && hasBody(request)) return refuse(400, '', 'Unsupported protocol');
  const { host, url } = exchange;
  const client = request.socket.remoteAddress ?? '';
  return lookup(table, { host, url, headers: request.rawHeaders, client }, limits, clock.now());
}

async function tryEach(work: Work, pool: Pool): Promise<void> {
  const { caller, exchange, clock } = work;
  const { request } = caller;
  const wanted = wantedInstance(request.rawHeaders);
  const headers = forwarded(request.rawHeaders, visitOf(work));
  exchange.headers = {
    ...request.headers,
    'x-forwarded-for': valueOf(headers, 'x-forwarded-for'),
    'x-forwarded-proto': valueOf(headers, 'x-forwarded-proto'),
  };
  const attempts = Math.max(1, Math.min(work.max_attempts, pool.size));
  exchange.times.asked = clock.now();
  let reason = '';
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const lease = pool.lease(clock.now(), attempt === 1 ? wanted : undefined);
    if (!lease) break;
    try {
      exchange.endpoint = lease.endpoint;
      const answer = await askOne(work, lease.endpoint, headers);
      if (answer.kind !== 'failed') {
        const sticky = stickyCookie(answer.reply.rawHeaders, lease.endpoint, { wanted, path: pool.path });
        await (answer.kind === 'replied' ? passOn(work, answer.reply, sticky) : splice(work, answer, sticky));
        return;
      }
      reason = answer.reason;
      if (isGone(work)) return;
      lease.fail(clock.now());
      if (!answer.isHarmless) break;
    } finally {
      lease.release();
    }
  }
  refuseWith(work, reason === '' ? overloaded(exchange.host) : failed(reason));
}

function visitOf({ caller, exchange, clock }: Work): Visit {
  const { request, upgrade } = caller;
  const { socket } = request;
  return {
    ...{ host: exchange.host, client: socket.remoteAddress ?? '', request_id: exchange.request_id, now: clock.now() },
    isSecure: 'encrypted' in socket && socket.encrypted === true,
    upgrade: upgrade && request.headers.upgrade,
  };
}

function askOne({ caller, exchange, agent, dial_ms, signal }: Work, endpoint: Endpoint, headers: Pairs) {
  const { request, response, upgrade } = caller;
  const { method, url } = exchange;
  const body = !upgrade && hasBody(request) ? request : undefined;
  return ask({
    ...{ endpoint, method, url, agent, dial_ms, signal },
    headers: [...headers, ...forEndpoint(endpoint), ...lengthOf(request, body !== undefined, upgrade !== undefined)],
    ...(body ? { body } : {}),
    isRepeatable: !body && !upgrade && isRepeatable(request),
    onBody: (bytes) => (exchange.received += bytes),
    onContinue: () => response.writeContinue(),
  });
}

function isRepeatable({ method = 'GET', headers }: IncomingMessage): boolean {
  const isMarked = headers['idempotency-key'] !== undefined || headers['x-idempotency-key'] !== undefined;
  return REPEATABLE.includes(method) || isMarked;
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** Node would send a body of unknown length with a POST that has none. A given length was passed on as it is. */
function lengthOf({ headers, method }: IncomingMessage, isSent: boolean, isUpgrade: boolean): Pairs {
  if (isSent) return headers['content-length'] === undefined ? ['Transfer-Encoding', 'chunked'] : [];
  const isUsual = method === 'POST' || method === 'PUT' || method === 'PATCH';
  return isUsual && !isUpgrade && headers['content-length'] === undefined ? ['Content-Length', '0'] : [];
}

async function passOn({ caller, exchange, clock }: Work, reply: IncomingMessage, sticky?: string): Promise<void> {
  const { response } = caller;
  exchange.status = reply.statusCode ?? 0;
  exchange.times.answered = clock.now();
  response.writeHead(exchange.status, reply.statusMessage, returned(reply.rawHeaders, exchange.request_id, sticky));
  // What streams slowly begins at once.
  response.flushHeaders();
  await new Promise<void>((resolve) => {
    reply.on('error', () => undefined);
    reply.on('data', (chunk: Buffer) => (exchange.sent += chunk.length));
    reply.pipe(response, { end: false });
    reply.once('end', () => {
      if (reply.rawTrailers.length > 0) response.addTrailers(reply.trailers);
      response.end();
    });
    // It broke off: so must what we pass on, or the client would take a part for the whole.
    reply.once('close', () => {
      if (!reply.complete) response.destroy();
    });
    response.once('close', () => {
      reply.destroy();
      resolve();
    });
  });
  exchange.times.answered = clock.now();
}

type Upgraded = Extract<Answer, { kind: 'upgraded' }>;

/** From now on bytes pass as they come, both ways, until both sides are done. */
async function splice(work: Work, { reply, socket: far, head }: Upgraded, sticky?: string): Promise<void> {
  const { caller, exchange, settle } = work;
  const { response, upgrade } = caller;
  if (!upgrade) throw new Error('the instance changed a protocol that nobody asked it to change');
  settle();
  const near = upgrade.socket;
  response.detachSocket(near);
  exchange.status = reply.statusCode ?? 101;
  const pairs = returned(reply.rawHeaders, exchange.request_id, sticky, true);
  const lines = pairs.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${pairs[i + 1]}`] : []));
  near.write(
    Buffer.from([`HTTP/1.1 ${exchange.status} ${reply.statusMessage ?? ''}`, ...lines, '', ''].join('\r\n'), 'latin1'),
  );
  if (head.length > 0) far.unshift(head);
  if (upgrade.head.length > 0) near.unshift(upgrade.head);
  await new Promise<void>((resolve) => {
    const both = [near, far];
    let open = 2;
    for (const [i, socket] of both.entries()) {
      const other = both[1 - i];
      socket.setTimeout(0);
      socket.on('error', () => other?.destroy());
      socket.once('close', () => {
        other?.destroySoon();
        if (--open === 0) resolve();
      });
    }
    far.on('data', (chunk: Buffer) => (exchange.sent += chunk.length));
    near.pipe(far);
    far.pipe(near);
  });
}

/** The client went away: there is nobody to answer. */
function isGone({ caller, signal }: Work): boolean {
  return signal.aborted && caller.response.destroyed;
}

function refuseWith({ caller, exchange }: Work, { status, error, text, cache }: Refusal): void {
  const body = Buffer.from(`${text}\n`);
  exchange.status = status;
  exchange.router_error = error;
  exchange.sent = body.length;
  const { response, request } = caller;
  response.writeHead(status, [
    ...(cache === undefined ? [] : ['Cache-Control', cache]),
    ...['Content-Type', 'text/plain; charset=utf-8', 'X-Content-Type-Options', 'nosniff'],
    ...(error === '' ? [] : ['X-Cf-Routererror', error]),
    ...['X-Vcap-Request-Id', exchange.request_id, 'Content-Length', String(body.length)],
    // The rest of its body is of no use to anybody.
    ...(request.complete || !hasBody(request) ? [] : ['Connection', 'close']),
  ]);
  response.end(request.method === 'HEAD' ? undefined : body);
}
