/** The rows of the embedded BBS, in memory. Unique as in the BBS's tables: an LRP by process guid, index and presence. */
import type { Change, DesiredLrp, Lrp, Presence, Task } from './model.js';

export class State {
  readonly desired = new Map<string, DesiredLrp>();
  readonly tasks = new Map<string, Task>();
  /** Name to the time it expires, milliseconds since the epoch; Infinity: never. */
  readonly domains = new Map<string, number>();
  readonly #lrps = new Map<string, Map<string, Lrp>>();

  lrp(process_guid: string, index: number, presence: Presence): Lrp | undefined {
    return this.#lrps.get(process_guid)?.get(`${index}/${presence}`);
  }

  /** The rows of one index: at most one of each presence. */
  lrpsAt(process_guid: string, index: number): Lrp[] {
    const presences = ['ORDINARY', 'EVACUATING', 'SUSPECT'] as const;
    return presences.flatMap((presence) => this.lrp(process_guid, index, presence) ?? []);
  }

  lrpsOf(process_guid: string): Lrp[] {
    return [...(this.#lrps.get(process_guid)?.values() ?? [])];
  }

  *lrps(): Generator<Lrp> {
    for (const rows of this.#lrps.values()) yield* rows.values();
  }

  /** Returns the change that takes it back. */
  apply(change: Change): Change {
    if ('put' in change) {
      switch (change.put) {
        case 'lrp': {
          const { process_guid, index } = change.row.actual_lrp_key;
          const { presence } = change.row;
          const before = this.lrp(process_guid, index, presence);
          let rows = this.#lrps.get(process_guid);
          if (!rows) this.#lrps.set(process_guid, (rows = new Map<string, Lrp>()));
          rows.set(`${index}/${presence}`, change.row);
          return before ? { put: 'lrp', row: before } : { drop: 'lrp', process_guid, index, presence };
        }
        case 'desired': {
          const key = change.row.process_guid;
          const before = this.desired.get(key);
          this.desired.set(key, change.row);
          return before ? { put: 'desired', row: before } : { drop: 'desired', key };
        }
        case 'task': {
          const key = change.row.task_guid;
          const before = this.tasks.get(key);
          this.tasks.set(key, change.row);
          return before ? { put: 'task', row: before } : { drop: 'task', key };
        }
        case 'domain': {
          const before = this.domains.get(change.domain);
          this.domains.set(change.domain, change.expires_at);
          return before === undefined
            ? { drop: 'domain', key: change.domain }
            : { put: 'domain', domain: change.domain, expires_at: before };
        }
      }
    }
    switch (change.drop) {
      case 'lrp': {
        const { process_guid, index, presence } = change;
        const rows = this.#lrps.get(process_guid);
        const before = rows?.get(`${index}/${presence}`);
        rows?.delete(`${index}/${presence}`);
        if (rows?.size === 0) this.#lrps.delete(process_guid);
        return before ? { put: 'lrp', row: before } : change;
      }
      case 'desired': {
        const before = this.desired.get(change.key);
        this.desired.delete(change.key);
        return before ? { put: 'desired', row: before } : change;
      }
      case 'task': {
        const before = this.tasks.get(change.key);
        this.tasks.delete(change.key);
        return before ? { put: 'task', row: before } : change;
      }
      case 'domain': {
        const before = this.domains.get(change.key);
        this.domains.delete(change.key);
        return before === undefined ? change : { put: 'domain', domain: change.key, expires_at: before };
      }
    }
  }

  /** Everything, as the changes that make it from nothing. */
  *rows(): Generator<Change> {
    for (const row of this.desired.values()) yield { put: 'desired', row };
    for (const row of this.lrps()) yield { put: 'lrp', row };
    for (const row of this.tasks.values()) yield { put: 'task', row };
    for (const [domain, expires_at] of this.domains) yield { put: 'domain', domain, expires_at };
  }
}
