import { get } from 'node:http';
import { messageOf } from '../../core/errors.js';
import type { CheckSpec } from '../model.js';
import type { CheckResult } from './check.js';

/**
 * Passes when a GET is answered with status 200 in time. As in Diego's healthcheck (code.cloudfoundry.org/healthcheck,
 * `cmd/healthcheck`) no other status counts and redirects are not followed.
 */
export async function checkHttp(
  spec: Extract<CheckSpec, { kind: 'http' }>,
  endpoint: { host: string; port: number } | undefined,
  signal: AbortSignal,
): Promise<CheckResult> {
  if (!endpoint) return `port ${spec.port} cannot be reached from this host`;
  const url = `port ${spec.port}, path ${spec.path}`;
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(new Error(`no answer within ${spec.timeout_ms} ms`)), spec.timeout_ms);
  try {
    const status = await statusOf(endpoint, spec.path, limit.signal, signal);
    return status === 200 ? undefined : `${url}: status ${String(status)}, not 200`;
  } catch (err) {
    signal.throwIfAborted();
    return `${url}: ${messageOf(limit.signal.aborted ? limit.signal.reason : err)}`;
  } finally {
    clearTimeout(timer);
  }
}

function statusOf(
  { host, port }: { host: string; port: number },
  path: string,
  limit: AbortSignal,
  signal: AbortSignal,
): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const request = get({ host, port, path, agent: false, signal }, (response) => {
      resolve(response.statusCode);
      // The status is all we want; the body may never end.
      request.destroy();
    });
    request.on('error', reject);
    limit.addEventListener('abort', () => request.destroy(limit.reason as Error), { once: true });
  });
}
