/** One line for each request, as gorouter writes it (gorouter `accesslog/schema/access_log_record.go`). */
import type { IncomingHttpHeaders } from 'node:http';
import { addressOf, type Endpoint } from './pool.js';

/** A line that belongs to an application: what its log stream is given. */
export interface AccessRecord {
  /** Guid of the application. */
  source_id: string;
  /** Of the router, not of the application's instance. */
  instance_id: string;
  source_type: 'RTR';
  tags: Record<string, string>;
  text: string;
  /** Epoch milliseconds. */
  at: number;
}

export interface Exchange {
  host: string;
  method: string;
  url: string;
  http_version: string;
  /** As the instance gets them. */
  headers: IncomingHttpHeaders;
  remote: string;
  request_id: string;
  /** 0: nothing was answered. */
  status: number;
  received: number;
  sent: number;
  endpoint: Endpoint | undefined;
  router_error: string;
  /** Epoch milliseconds with fractions. `asked`: an instance was; undefined: none. */
  times: { began: number; asked?: number; answered?: number; ended: number };
}

/** Longer ones are cut: user agents and the like, and addresses. */
const SHORT = 1_000;
const LONG = 20_000;

export function accessLine(exchange: Exchange): string {
  const { host, method, url, http_version, headers, remote, request_id, status, received, sent } = exchange;
  const { endpoint, router_error, times } = exchange;
  const header = (name: string): string => quoted(cut(textOf(headers[name]), name, SHORT));
  const total = (times.ended - times.began) / 1_000;
  const inApp = times.asked === undefined ? 0 : ((times.answered ?? times.ended) - times.asked) / 1_000;
  return [
    `${host} - [${timestamp(times.began)}]`,
    quoted(`${method} ${cut(url, 'request-uri', LONG)} HTTP/${http_version}`),
    status === 0 ? '"-"' : status,
    ...[received, sent, header('referer'), header('user-agent'), quoted(remote)],
    quoted(endpoint ? addressOf(endpoint) : ''),
    `x_forwarded_for:${header('x-forwarded-for')}`,
    `x_forwarded_proto:${header('x-forwarded-proto')}`,
    `vcap_request_id:${quoted(request_id)}`,
    `response_time:${total.toFixed(6)}`,
    `gorouter_time:${Math.max(0, total - inApp).toFixed(6)}`,
    `app_id:${quoted(endpoint?.app ?? '')}`,
    `app_index:${quoted(endpoint?.index ?? '')}`,
    `instance_id:${quoted(endpoint?.instance_id ?? '')}`,
    `x_cf_routererror:${quoted(router_error)}`,
  ].join(' ');
}

/** Undefined: it belongs to no application. */
export function accessRecord(exchange: Exchange): AccessRecord | undefined {
  const { endpoint, times } = exchange;
  if (!endpoint?.app) return undefined;
  const text = accessLine(exchange);
  return { source_id: endpoint.app, instance_id: '0', source_type: 'RTR', tags: endpoint.tags, text, at: times.ended };
}

const textOf = (value: string | string[] | undefined): string =>
  Array.isArray(value) ? (value[0] ?? '') : (value ?? '');

/** Nine digits after the second, of which the last three are not known. */
function timestamp(ms: number): string {
  const micros = Math.floor((ms % 1_000) * 1_000);
  return `${new Date(ms).toISOString().slice(0, 19)}.${String(micros).padStart(6, '0')}000Z`;
}

/** A dash stands for nothing. What could end the quotation or the line is escaped. */
function quoted(text: string): string {
  return JSON.stringify(text === '' ? '-' : text);
}

function cut(text: string, name: string, limit: number): string {
  let rest = text;
  while (rest.length > limit) {
    rest = `${rest.slice(0, Math.floor(rest.length / 2))}...${name.toUpperCase()}-TOO-LONG-TO-LOG--TRUNCATED`;
  }
  return rest;
}
