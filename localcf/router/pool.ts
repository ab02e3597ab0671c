/** The instances behind one URI, and whose turn it is (gorouter `route/pool.go`, `route/roundrobin.go`). */

export interface Endpoint {
  host: string;
  port: number;
  /** Guid of the application; empty for what is no application. */
  app: string;
  /** Empty: it has none. */
  instance_id: string;
  index: string;
  tags: Record<string, string>;
  route_service_url: string;
  /** Dropped when not registered again for so long; undefined: it stays until it is unregistered. */
  stale_ms: number | undefined;
}

export type Balancing = 'round-robin' | 'least-connection';

interface Member {
  endpoint: Endpoint;
  updated_at: number;
  /** It did not take a request: others come first for a while. */
  failed_at: number | undefined;
  /** Requests under way. */
  load: number;
}

export interface PoolLimits {
  /** How long an endpoint that failed is passed over. */
  retry_after_ms: number;
  /** Requests at once that one endpoint takes; 0: any number. */
  max_load: number;
}

export interface Lease {
  readonly endpoint: Endpoint;
  /** The request did not get through. */
  fail(now: number): void;
  /** The request is over. */
  release(): void;
}

export const addressOf = ({ host, port }: Endpoint): string => `${host}:${port}`;

export class Pool {
  readonly #members = new Map<string, Member>();
  readonly #limits: PoolLimits;
  #turn = 0;
  balancing: Balancing = 'round-robin';
  /** When something was last registered or taken away. */
  updated_at = 0;

  /** `path`: of the route, `/` where it has none. */
  constructor(
    readonly path: string,
    limits: PoolLimits,
  ) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#members.size;
  }

  endpoints(): Endpoint[] {
    return [...this.#members.values()].map(({ endpoint }) => endpoint);
  }

  /** By address: another instance there takes the place of the one before. */
  put(endpoint: Endpoint, now: number): void {
    this.updated_at = now;
    const known = this.#members.get(addressOf(endpoint));
    if (!known) {
      this.#members.set(addressOf(endpoint), { endpoint, updated_at: now, failed_at: undefined, load: 0 });
      return;
    }
    if (known.endpoint.instance_id !== endpoint.instance_id) known.failed_at = undefined;
    known.endpoint = endpoint;
    known.updated_at = now;
  }

  /** By address alone, whatever instance is named: as gorouter does. False: it was not there. */
  remove(address: string, now: number): boolean {
    if (!this.#members.delete(address)) return false;
    this.updated_at = now;
    return true;
  }

  /** Takes away what was not registered again in time; says what. */
  prune(now: number): Endpoint[] {
    const old = [...this.#members.values()].filter(
      ({ endpoint, updated_at }) => endpoint.stale_ms !== undefined && now - updated_at > endpoint.stale_ms,
    );
    for (const { endpoint } of old) this.remove(addressOf(endpoint), now);
    return old.map(({ endpoint }) => endpoint);
  }

  /** All count as registered now. */
  freshen(now: number): void {
    for (const member of this.#members.values()) member.updated_at = now;
  }

  /** Every one of them has as many requests as it takes. */
  isOverloaded(): boolean {
    return this.size > 0 && [...this.#members.values()].every((member) => this.#isFull(member));
  }

  /** The next one to be asked; `wanted`: this instance, if it is there. Undefined: none takes a request. */
  lease(now: number, wanted = ''): Lease | undefined {
    const all = [...this.#members.values()].filter((member) => !this.#isFull(member));
    const named = wanted === '' ? undefined : all.find(({ endpoint }) => endpoint.instance_id === wanted);
    const member = named ?? this.#choose(all, now);
    if (!member) return undefined;
    member.load++;
    const { endpoint } = member;
    let over = false;
    return {
      endpoint,
      fail: (at) => {
        // Another instance may have got its address meanwhile: it is not to blame.
        if (member.endpoint.instance_id === endpoint.instance_id) member.failed_at = at;
      },
      release: () => {
        if (!over) member.load--;
        over = true;
      },
    };
  }

  #choose(all: readonly Member[], now: number): Member | undefined {
    const isOut = ({ failed_at }: Member): boolean =>
      failed_at !== undefined && now - failed_at < this.#limits.retry_after_ms;
    let able = all.filter((member) => !isOut(member));
    if (able.length === 0) {
      // All of them failed: each gets another try.
      for (const member of all) member.failed_at = undefined;
      able = [...all];
    }
    const turn = this.#turn++;
    if (this.balancing === 'round-robin') return able[turn % able.length];
    const least = Math.min(...able.map(({ load }) => load));
    const idle = able.filter(({ load }) => load === least);
    return idle[turn % idle.length];
  }

  #isFull({ load }: Member): boolean {
    return this.#limits.max_load > 0 && load >= this.#limits.max_load;
  }
}
