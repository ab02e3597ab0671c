/**
 * What routers were told and must be told again: a table from instance to adverts. Decides and remembers; sends nothing.
 * A router knows an entry by address alone, not by instance (gorouter `route/pool.go`). So a goodbye is never said of an
 * address that another instance has taken meanwhile, neither at once nor when it is repeated.
 */
import type { Advert } from './adverts.js';

export interface Changes {
  register: Advert[];
  unregister: Advert[];
}

interface Goodbye {
  advert: Advert;
  /** Repeated no longer than this, epoch milliseconds. */
  until: number;
}

export class RouteBook {
  /** By instance, then by key. */
  readonly #told = new Map<string, Map<string, Advert>>();
  /** Who has the entry now: the last to have come. */
  readonly #holders = new Map<string, string>();
  readonly #goodbyes = new Map<string, Goodbye>();

  /** This is what is to be said of the instance from now on; nothing: it is gone. `keep_ms`: how long goodbyes count. */
  set(guid: string, adverts: readonly Advert[], { now, keep_ms }: { now: number; keep_ms: number }): Changes {
    const before = this.#told.get(guid) ?? new Map<string, Advert>();
    const after = new Map(adverts.map((advert) => [advert.key, advert]));
    if (after.size > 0) this.#told.set(guid, after);
    else this.#told.delete(guid);
    const changes: Changes = { register: [], unregister: [] };
    for (const [key, advert] of after) {
      const known = before.get(key);
      if (known && JSON.stringify(known.message) === JSON.stringify(advert.message)) continue;
      this.#holders.set(key, guid);
      this.#goodbyes.delete(key);
      changes.register.push(advert);
    }
    for (const [key, advert] of before) {
      if (after.has(key) || this.#holders.get(key) !== guid) continue;
      this.#holders.delete(key);
      this.#goodbyes.set(key, { advert, until: now + keep_ms });
      changes.unregister.push(advert);
    }
    return changes;
  }

  /** All that stands, each entry once. */
  all(): Advert[] {
    return [...this.#told].flatMap(([guid, adverts]) =>
      [...adverts.values()].filter(({ key }) => this.#holders.get(key) === guid),
    );
  }

  /** Nobody could hear us until now, and routers dropped nothing meanwhile: goodbyes count from here on. */
  renew({ now, keep_ms }: { now: number; keep_ms: number }): void {
    for (const goodbye of this.#goodbyes.values()) goodbye.until = now + keep_ms;
  }

  /** Goodbyes that a router may not have heard. */
  goodbyes(now: number): Advert[] {
    for (const [key, { until }] of this.#goodbyes) if (until < now) this.#goodbyes.delete(key);
    return [...this.#goodbyes.values()].map(({ advert }) => advert);
  }

  /** Entries that stand. */
  get size(): number {
    return this.#holders.size;
  }
}
