/** Locket's rows and their time to live (locket db/lock_db.go, expiration/). Refusals are values. */
import type { Messages } from '../../protos/generated.js';

export type Resource = Messages['models.Resource'];

export interface LockRow {
  resource: Resource;
  ttl_in_seconds: bigint;
}

export const REFUSALS = {
  collision: { code: 'ALREADY_EXISTS', message: 'lock-collision' },
  ttl: { code: 'INVALID_ARGUMENT', message: 'invalid-ttl' },
  owner: { code: 'INVALID_ARGUMENT', message: 'invalid-owner' },
  missing: { code: 'NOT_FOUND', message: 'resource-not-found' },
  type: { code: 'NOT_FOUND', message: 'invalid-type' },
} as const;

export type LockRefusal = (typeof REFUSALS)[keyof typeof REFUSALS];

export type LockChange = { put: 'lock'; row: LockRow } | { drop: 'lock'; key: string };

export interface TablePolicy {
  /** Whether a lock of another owner that has not expired keeps a newcomer out. */
  ownersCollide: boolean;
  locksExpire: boolean;
}

export const LOCKET: TablePolicy = { ownersCollide: true, locksExpire: true };

interface Held extends LockRow {
  expires_at: number;
}

const CANONICAL = { UNKNOWN: '', LOCK: 'lock', PRESENCE: 'presence' } as const;

export class LockTable {
  readonly #rows = new Map<string, Held>();

  /** `changed` is told of what should survive a restart: rows, not heartbeats. */
  constructor(
    private readonly now: () => number,
    private readonly changed: (change: LockChange) => void,
    private readonly policy: TablePolicy = LOCKET,
  ) {}

  /** Rows of before a restart: each lives for its whole time again. */
  restore(change: LockChange): void {
    if ('put' in change) this.#rows.set(change.row.resource.key, this.#held(change.row));
    else this.#rows.delete(change.key);
  }

  lock({ resource, ttl_in_seconds }: Messages['models.LockRequest']): LockRefusal | undefined {
    if (ttl_in_seconds <= 0n) return REFUSALS.ttl;
    if (!resource || resource.owner === '') return REFUSALS.owner;
    if (!isType(resource.type_code)) return REFUSALS.type;
    this.prune();
    const held = this.#rows.get(resource.key);
    if (held && held.resource.owner !== resource.owner && this.policy.ownersCollide) return REFUSALS.collision;
    const row: LockRow = { resource: { ...resource, type: CANONICAL[resource.type_code] }, ttl_in_seconds };
    this.#rows.set(resource.key, this.#held(row));
    const beat =
      held?.resource.owner === resource.owner &&
      held.resource.value === resource.value &&
      held.ttl_in_seconds === ttl_in_seconds;
    if (!beat) this.changed({ put: 'lock', row });
    return undefined;
  }

  /** An absent key is released already. */
  release({ key, owner }: Pick<Resource, 'key' | 'owner'>): LockRefusal | undefined {
    this.prune();
    const held = this.#rows.get(key);
    if (!held) return undefined;
    if (held.resource.owner !== owner) return REFUSALS.collision;
    this.#drop(key);
    return undefined;
  }

  fetch(key: string): Resource | LockRefusal {
    this.prune();
    return this.#rows.get(key)?.resource ?? REFUSALS.missing;
  }

  fetchAll(type_code: Resource['type_code']): Resource[] | LockRefusal {
    if (!isType(type_code)) return REFUSALS.type;
    this.prune();
    return [...this.#rows.values()].map(({ resource }) => resource).filter((one) => one.type_code === type_code);
  }

  *rows(): Generator<LockChange> {
    for (const { resource, ttl_in_seconds } of this.#rows.values())
      yield { put: 'lock', row: { resource, ttl_in_seconds } };
  }

  prune(): void {
    if (!this.policy.locksExpire) return;
    const now = this.now();
    for (const [key, { expires_at }] of this.#rows) if (expires_at <= now) this.#drop(key);
  }

  #drop(key: string): void {
    this.#rows.delete(key);
    this.changed({ drop: 'lock', key });
  }

  #held(row: LockRow): Held {
    return { ...row, expires_at: this.now() + Number(row.ttl_in_seconds) * 1_000 };
  }
}

const isType = (type: string): type is 'LOCK' | 'PRESENCE' => type === 'LOCK' || type === 'PRESENCE';
