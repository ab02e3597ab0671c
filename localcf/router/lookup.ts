/** From a request to the instances that may answer it, or to the router's own answer (gorouter `handlers/lookup.go`). */
import { STATUS_CODES } from 'node:http';
import { valueOf, type Pairs } from './headers.js';
import { poolOf, type RouteTable } from './table.js';
import type { Pool, PoolLimits } from './pool.js';

/** What the router says itself. */
export interface Refusal {
  status: number;
  /** `X-Cf-Routererror`. */
  error: string;
  /** Whole first line of the body. */
  text: string;
  cache?: string;
}

export interface Asked {
  host: string;
  /** Path and query. */
  url: string;
  headers: Pairs;
  client: string;
}

const INSTANCE = /^([\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}):(\d+)$/;
const NEVER = 'no-cache, no-store';
const BRIEFLY = 'public,max-age=2';

export function refuse(status: number, error: string, message: string, cache?: string): Refusal {
  const text = `${status} ${STATUS_CODES[status] ?? ''}: ${message}`;
  return { status, error, text, ...(cache === undefined ? {} : { cache }) };
}

export function lookup(table: RouteTable, asked: Asked, limits: PoolLimits, now: number): Pool | Refusal {
  const { host, url, headers, client } = asked;
  const name = withoutPort(host);
  // An address is never a route; what balances load before a router puts its own there when it has no name.
  if (name === '' || name === client) return refuse(400, 'empty_host', 'Request had empty Host header', BRIEFLY);
  const wanted = valueOf(headers, 'x-cf-app-instance');
  const [, guid, index] = INSTANCE.exec(wanted ?? '') ?? [];
  if (wanted && guid === undefined) {
    return refuse(400, 'invalid_cf_app_instance_header', 'Invalid X-CF-App-Instance Header', NEVER);
  }
  const found = table.find(name, url.split('?')[0] ?? '/', now);
  if (guid !== undefined) {
    const pool = typeof found === 'object' ? found.pool : undefined;
    const one = pool?.endpoints().find((endpoint) => endpoint.app === guid && endpoint.index === index);
    if (pool && one) return poolOf(one, pool.path, limits, now);
    const text = `Requested instance ('${index}') with guid ('${guid}') does not exist for route ('${host}')`;
    return refuse(400, 'unknown_route', text, NEVER);
  }
  if (found === undefined) return refuse(404, 'unknown_route', `Requested route ('${host}') does not exist.`, NEVER);
  if (found === 'empty') {
    return refuse(503, 'no_endpoints', `Requested route ('${host}') has no available endpoints.`, BRIEFLY);
  }
  if (found.pool.isOverloaded()) return overloaded(host);
  if (found.pool.endpoints().some(({ route_service_url }) => route_service_url !== '')) {
    return refuse(502, 'route_service_unsupported', 'Support for route services is disabled.');
  }
  return found.pool;
}

export const overloaded = (host: string): Refusal =>
  refuse(503, 'Connection Limit Reached', `Requested route ('${host}') has reached the connection limit.`);

export function failed(reason: string): Refusal {
  // A reason goes into a header: no line of it may end there.
  const printable = reason.replace(/[^\x20-\x7e]+/g, ' ');
  return refuse(502, `endpoint_failure (${printable})`, 'Registered endpoint failed to handle the request.');
}

function withoutPort(host: string): string {
  return host.startsWith('[') ? host.slice(1, host.indexOf(']')) : (host.split(':')[0] ?? '');
}
