/** All routes: which instances answer for a host and path (gorouter `registry/registry.go`). No clock of its own. */
import type { Registration } from '../../backend/wire/registration.js';
import { UnikError } from '../../core/errors.js';
import { addressOf, Pool, type Endpoint, type PoolLimits } from './pool.js';

export interface TableOptions extends PoolLimits {
  /** What is not registered again for so long is dropped, and no registration may ask for longer. */
  stale_ms: number;
  /** So long after its last instance went a route is `empty`, not unknown. */
  empty_ms: number;
}

/** What there is for a request. `empty`: the route is known and nothing is behind it. */
export type Found = { pool: Pool } | 'empty' | undefined;

export class RouteTable {
  readonly #pools = new Map<string, Pool>();
  readonly #options: TableOptions;

  constructor(options: TableOptions) {
    this.#options = options;
  }

  /** `keep`: it does not age. Throws bad_request for what cannot be routed to. */
  register(message: Registration, now: number, keep = false): void {
    const endpoint = endpointOf(message, keep ? undefined : this.#staleMs(message));
    const balancing = message.options?.loadbalancing ?? message.options?.lb_algo;
    for (const key of keysOf(message)) {
      const pool = this.#pools.get(key) ?? new Pool(pathOf(key), this.#options);
      this.#pools.set(key, pool);
      pool.put(endpoint, now);
      if (balancing === 'round-robin' || balancing === 'least-connection') pool.balancing = balancing;
    }
  }

  unregister(message: Registration, now: number): void {
    const address = addressOf(endpointOf(message, undefined));
    for (const key of keysOf(message)) this.#pools.get(key)?.remove(address, now);
    this.#forgetEmpty(now);
  }

  /** The longest path of the exact host; then of `*.` before ever fewer of its labels. */
  find(host: string, path: string, now: number): Found {
    const segments = path.toLowerCase().split('/').filter(Boolean);
    for (const name of hostsFor(host.toLowerCase())) {
      for (let length = segments.length; length >= 0; length--) {
        const pool = this.#pools.get([name, ...segments.slice(0, length)].join('/'));
        if (!pool || this.#isForgotten(pool, now)) continue;
        return pool.size > 0 ? { pool } : 'empty';
      }
    }
    return undefined;
  }

  /** Drops what is stale; says what, by route. */
  prune(now: number): [route: string, endpoint: Endpoint][] {
    const gone = [...this.#pools].flatMap(([key, pool]) =>
      pool.prune(now).map((one): [string, Endpoint] => [key, one]),
    );
    this.#forgetEmpty(now);
    return gone;
  }

  /** Nothing is stale: we were deaf meanwhile. */
  freshen(now: number): void {
    for (const pool of this.#pools.values()) pool.freshen(now);
  }

  routes(): Map<string, Endpoint[]> {
    return new Map([...this.#pools].flatMap(([key, pool]) => (pool.size > 0 ? [[key, pool.endpoints()]] : [])));
  }

  #forgetEmpty(now: number): void {
    for (const [key, pool] of this.#pools) if (this.#isForgotten(pool, now)) this.#pools.delete(key);
  }

  #isForgotten(pool: Pool, now: number): boolean {
    return pool.size === 0 && now - pool.updated_at >= this.#options.empty_ms;
  }

  #staleMs({ stale_threshold_in_seconds: seconds }: Registration): number {
    const { stale_ms } = this.#options;
    return seconds !== undefined && seconds !== null && seconds > 0 ? Math.min(seconds * 1_000, stale_ms) : stale_ms;
  }
}

/** One instance alone, for a request that names it. */
export function poolOf(endpoint: Endpoint, path: string, limits: PoolLimits, now: number): Pool {
  const pool = new Pool(path, limits);
  pool.put(endpoint, now);
  return pool;
}

function* hostsFor(host: string): Generator<string> {
  yield host;
  for (let rest = host; rest.includes('.');) {
    rest = rest.slice(rest.indexOf('.') + 1);
    yield `*.${rest}`;
  }
}

/** Lower case, no query, no slash at the end, no empty segments. */
function keysOf({ uris }: Registration): string[] {
  return (uris ?? []).map((uri) => {
    const [host = '', ...segments] = (uri.toLowerCase().split('?')[0] ?? '').split('/');
    return [host, ...segments.filter(Boolean)].join('/');
  });
}

function pathOf(key: string): string {
  const slash = key.indexOf('/');
  return slash < 0 ? '/' : key.slice(slash);
}

function endpointOf(message: Registration, stale_ms: number | undefined): Endpoint {
  const { host, port, tls_port, app, private_instance_id, private_instance_index, tags, route_service_url } = message;
  if (tls_port) {
    throw new UnikError('bad_request', `registration of ${host}:${tls_port}: this router speaks no TLS to instances`);
  }
  if (!host || !port) throw new UnikError('bad_request', 'registration: host and port must be given');
  if (route_service_url && !route_service_url.startsWith('https:')) {
    throw new UnikError('bad_request', `registration of ${host}:${port}: route_service_url must be https`);
  }
  return {
    ...{ host, port, app: app ?? '', instance_id: private_instance_id ?? '', index: private_instance_index ?? '' },
    ...{ tags: tags ?? {}, route_service_url: route_service_url ?? '', stale_ms },
  };
}
