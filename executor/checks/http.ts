import { get, type IncomingMessage } from 'node:http';
import { hasCode, messageOf } from '../../core/errors.js';
import type { CheckSpec } from '../model.js';
import type { Finding } from './check.js';

interface Endpoint {
  host: string;
  port: number;
}

/** As many as Go's client, and so Diego's check, follows. */
const MAX_REDIRECTS = 10;
/** What Diego's healthcheck sends, so that an application that tells checks apart still does. */
const HEADERS = { 'User-Agent': 'diego-healthcheck', 'X-Forwarded-Proto': 'https' };

/**
 * Passes when a GET is answered with status 200 in time. As in Diego's healthcheck (code.cloudfoundry.org/healthcheck,
 * `cmd/healthcheck`) no other status counts and redirects are followed; but only those within the application, since
 * it is the host that asks here.
 */
export async function checkHttp(
  spec: Extract<CheckSpec, { kind: 'http' }>,
  endpoint: Endpoint | undefined,
  signal: AbortSignal,
): Promise<Finding | undefined> {
  if (!endpoint) return { why: 'failed', message: `port ${spec.port} cannot be reached from this host` };
  const url = `port ${spec.port}, path ${spec.path}`;
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(new Error(`no answer within ${spec.timeout_ms} ms`)), spec.timeout_ms);
  try {
    const status = await followed(endpoint, spec, limit.signal, signal);
    return status === 200 ? undefined : { why: 'status', status, message: `${url}: status ${status}, not 200` };
  } catch (err) {
    signal.throwIfAborted();
    const late = limit.signal.aborted;
    const why = late ? 'timed_out' : hasCode(err, 'ECONNREFUSED') ? 'refused' : 'failed';
    return { why, message: `${url}: ${messageOf(late ? limit.signal.reason : err)}` };
  } finally {
    clearTimeout(timer);
  }
}

async function followed(
  endpoint: Endpoint,
  spec: Extract<CheckSpec, { kind: 'http' }>,
  limit: AbortSignal,
  signal: AbortSignal,
): Promise<number> {
  let path = spec.path;
  for (let redirects = 0; ; redirects++) {
    const { statusCode = 0, headers } = await answer(endpoint, path, limit, signal);
    const next =
      statusCode >= 300 && statusCode < 400 ? within(endpoint, spec.port, path, headers.location) : undefined;
    if (next === undefined || redirects === MAX_REDIRECTS) return statusCode;
    path = next;
  }
}

/** Path of a redirect that stays with the application, under the port it knows or the one we reach it by. */
function within(endpoint: Endpoint, guestPort: number, path: string, location?: string): string | undefined {
  const base = `http://${endpoint.host}:${endpoint.port}`;
  if (location === undefined || !URL.canParse(location, `${base}${path}`)) return undefined;
  const { hostname, port, pathname, search } = new URL(location, `${base}${path}`);
  const same = hostname === endpoint.host && [endpoint.port, guestPort].includes(Number(port || 80));
  return same ? `${pathname}${search}` : undefined;
}

function answer(
  { host, port }: Endpoint,
  path: string,
  limit: AbortSignal,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = get({ host, port, path, headers: HEADERS, agent: false, signal }, (response) => {
      resolve(response);
      // The status is all we want; the body may never end.
      request.destroy();
    });
    request.on('error', reject);
    limit.addEventListener('abort', () => request.destroy(limit.reason as Error), { once: true });
  });
}
