/** log-cache's HTTP API, as its gateway and the authorising proxy before it answer. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Clock } from '../../core/clock.js';
import { messageOf } from '../../core/errors.js';
import { envelopeJson, metaJson } from './json.js';
import { parseQuery, samples, windowOf } from './promql.js';
import { readQuery, Refused } from './query.js';
import type { LogStore } from './store.js';

export interface GatewayOptions {
  store: LogStore;
  clock: Clock;
  /**
   * May the bearer of this Authorization header read the source? Who may not is told that there is nothing (404).
   * Absent: everybody may.
   */
  mayRead?: (authorization: string | undefined, source_id: string) => Promise<boolean>;
}

interface Answer {
  status: number;
  body: object;
}

/** What `cf` takes for a log-cache of today: from 2.0.0 on it asks under /api/v1. */
const VERSION = '3.2.0';
const READ = /^\/api\/v1\/read(?:\/(.*))?$/s;

export function createGateway({ store, clock, mayRead = async () => true }: GatewayOptions): RequestListener {
  const startedAt = clock.now();
  const now = (): bigint => BigInt(clock.now()) * 1_000_000n;

  async function answer(req: IncomingMessage): Promise<Answer> {
    const url = new URL(req.url ?? '/', 'http://gateway');
    const { authorization } = req.headers;
    if (url.pathname === '/api/v1/info') {
      const uptime = String(Math.floor((clock.now() - startedAt) / 1_000));
      return { status: 200, body: { version: VERSION, vm_uptime: uptime } };
    }
    const source = READ.exec(url.pathname);
    const isKnown = source !== null || ['/api/v1/meta', '/api/v1/query'].includes(url.pathname);
    if (!isKnown) return failure(404, 5, 'Not Found');
    if (req.method !== 'GET') return failure(501, 12, 'Method Not Allowed');
    if (source) return read(decodeURIComponent(source[1] ?? ''), url.searchParams, authorization);
    return url.pathname === '/api/v1/meta' ? meta(authorization) : query(url.searchParams, authorization);
  }

  async function read(id: string, params: URLSearchParams, authorization: string | undefined): Promise<Answer> {
    if (!(await mayRead(authorization, id))) return failure(404, 5, 'Not Found');
    const batch = store.read(id, readQuery(params, now())).map(envelopeJson);
    return { status: 200, body: { envelopes: { batch } } };
  }

  async function meta(authorization: string | undefined): Promise<Answer> {
    const all = [...store.meta()];
    const may = await Promise.all(all.map(([id]) => mayRead(authorization, id)));
    return { status: 200, body: metaJson(new Map(all.filter((_one, i) => may[i]))) };
  }

  async function query(params: URLSearchParams, authorization: string | undefined): Promise<Answer> {
    try {
      const time = timeOf(params.get('time') ?? '', now());
      const asked = parseQuery(params.get('query') ?? '');
      if (asked.kind === 'number') {
        return success({ resultType: 'scalar', result: [Number(time / 1_000_000n) / 1_000, String(asked.value)] });
      }
      const id = asked.labels.get('source_id') ?? '';
      if (!(await mayRead(authorization, id))) return failure(404, 5, 'Not Found');
      return success({ resultType: 'vector', result: samples(asked, store.read(id, windowOf(time)), time) });
    } catch (err) {
      return { status: 500, body: { status: 'error', errorType: 'internal', error: messageOf(err) } };
    }
  }

  return (req, res) => {
    answer(req)
      .catch((err: unknown) => {
        if (err instanceof Refused) return failure(err.refusal.http, err.refusal.code, err.refusal.message);
        // Only the address can be at fault: a `%` that stands for no byte.
        if (err instanceof URIError) return failure(400, 3, messageOf(err));
        return failure(500, 13, messageOf(err));
      })
      .then(
        (reply) => send(res, reply),
        (err: unknown) => res.destroy(err instanceof Error ? err : undefined),
      );
  };
}

const failure = (status: number, code: number, message: string): Answer => ({
  status,
  body: { code, message, details: [] },
});

const success = (data: object): Answer => ({ status: 200, body: { status: 'success', data } });

/** Seconds or RFC 3339 to nanoseconds; the full second before `now` where nothing is said. */
function timeOf(text: string, now: bigint): bigint {
  if (text === '') return now - (now % 1_000_000_000n);
  const ms = /^-?\d+(\.\d+)?$/.test(text) ? Number(text) * 1_000 : Date.parse(text);
  if (Number.isNaN(ms)) throw new Error(`cannot parse ${JSON.stringify(text)} to a valid Unix or RFC3339 timestamp`);
  return BigInt(Math.round(ms * 1_000)) * 1_000n;
}

function send(res: ServerResponse, { status, body }: Answer): void {
  const text = `${JSON.stringify(body)}\n`;
  res.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  res.end(text);
}
