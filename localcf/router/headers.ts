/** Headers on their way through the router: pairs as they came, less what is between two neighbours only. Pure. */
import type { Endpoint } from './pool.js';

/** Names and values in turns, as Node gives and takes them. */
export type Pairs = string[];

const HOP_BY_HOP = ['connection', 'keep-alive', 'proxy-connection', 'te', 'transfer-encoding', 'upgrade'];
const STICKY = '__VCAP_ID__';
/** Cookies of an application that make its clients stay with one instance. */
const SESSIONS = ['JSESSIONID'];

export interface Visit {
  host: string;
  /** Address of the client. */
  client: string;
  isSecure: boolean;
  request_id: string;
  /** Epoch milliseconds. */
  now: number;
  /** Protocol to change to, such as `websocket`. */
  upgrade?: string | undefined;
}

export function valueOf(pairs: Pairs, name: string): string | undefined {
  return valuesOf(pairs, name)[0];
}

export function valuesOf(pairs: Pairs, name: string): string[] {
  return pairs.filter((_value, i) => i % 2 === 1 && pairs[i - 1]?.toLowerCase() === name);
}

/** What the instance gets. Without that of `forEndpoint`, which differs from try to try. */
export function forwarded(pairs: Pairs, visit: Visit): Pairs {
  const { host, client, isSecure, request_id, now, upgrade } = visit;
  const before = valuesOf(pairs, 'x-forwarded-for');
  const kept = without(pairs, [
    ...hopByHop(pairs),
    ...['host', 'x-forwarded-for', 'x-vcap-request-id', 'x-cf-app-instance'],
    ...['x-cf-applicationid', 'x-cf-instanceid', 'x-cf-instanceindex'],
  ]);
  const unless = (name: string, value: string): Pairs =>
    valueOf(kept, name.toLowerCase()) === undefined ? [name, value] : [];
  const isTrailing = valuesOf(pairs, 'te').some((value) => value.toLowerCase().includes('trailers'));
  return [
    ...['Host', host],
    ...kept,
    ...['X-Forwarded-For', [...before, client].join(', ')],
    ...unless('X-Forwarded-Proto', isSecure ? 'https' : 'http'),
    ...unless('X-Request-Start', String(Math.floor(now))),
    ...['X-Vcap-Request-Id', request_id],
    ...(isTrailing ? ['Te', 'trailers'] : []),
    ...(upgrade === undefined ? [] : ['Connection', 'Upgrade', 'Upgrade', upgrade]),
  ];
}

export function forEndpoint({ app, instance_id, index, host, port }: Endpoint): Pairs {
  return [
    ...['X-Cf-Applicationid', app, 'X-Cf-Instanceid', instance_id || `${host}:${port}`],
    ...['X-Cf-Instanceindex', index],
  ];
}

/** What the client gets of the instance's reply. Where it has two lengths, the one that counted is of our own making. */
export function returned(pairs: Pairs, request_id: string, sticky: string | undefined, isUpgrade = false): Pairs {
  const isChunked = valueOf(pairs, 'transfer-encoding') !== undefined;
  const lengths = isChunked ? ['content-length'] : [];
  const kept = without(pairs, ['x-vcap-request-id', ...lengths, ...(isUpgrade ? [] : hopByHop(pairs))]);
  return [...kept, 'X-Vcap-Request-Id', request_id, ...(sticky === undefined ? [] : ['Set-Cookie', sticky])];
}

/** Instance that the client stays with: it has a session, and our cookie says where. */
export function wantedInstance(pairs: Pairs): string | undefined {
  const cookies = new Map(
    valuesOf(pairs, 'cookie')
      .flatMap((line) => line.split(';'))
      .map((one): [string, string] => {
        const [name = '', ...value] = one.trim().split('=');
        return [name, value.join('=')];
      }),
  );
  return SESSIONS.some((name) => cookies.has(name)) ? cookies.get(STICKY) : undefined;
}

/**
 * Our cookie, where the reply begins or ends a session or came from another instance than `wanted`. It lives as the
 * session's cookie does (gorouter `proxy/round_tripper/proxy_round_tripper.go` setupStickySession).
 */
export function stickyCookie(
  reply: Pairs,
  { instance_id }: Endpoint,
  { wanted, path }: { wanted: string | undefined; path: string },
): string | undefined {
  const cookies = valuesOf(reply, 'set-cookie');
  const nameOf = (cookie: string): string => cookie.split('=')[0]?.trim() ?? '';
  const session = cookies.find((cookie) => SESSIONS.includes(nameOf(cookie)));
  const moved = wanted !== undefined && wanted !== instance_id;
  if (instance_id === '' || (!session && !moved) || cookies.some((cookie) => nameOf(cookie) === STICKY)) {
    return undefined;
  }
  const shared = (session ?? '')
    .split(';')
    .slice(1)
    .map((part) => part.trim())
    // An age matters where it ends the session.
    .filter((part) => /^(expires=|max-age=-|max-age=0|secure$|samesite=|partitioned$)/i.test(part));
  return [`${STICKY}=${instance_id}`, `Path=${path}`, 'HttpOnly', ...shared].join('; ');
}

function hopByHop(pairs: Pairs): string[] {
  const named = valuesOf(pairs, 'connection').flatMap((value) => value.split(','));
  return [...HOP_BY_HOP, ...named.map((name) => name.trim().toLowerCase())];
}

function without(pairs: Pairs, names: readonly string[]): Pairs {
  const kept: Pairs = [];
  for (let i = 0; i + 1 < pairs.length; i += 2) {
    const [name = '', value = ''] = pairs.slice(i, i + 2);
    if (!names.includes(name.toLowerCase())) kept.push(name, value);
  }
  return kept;
}
