/** What `cf events` shows, and what is billed by. Kept bounded. */
import type { Caller } from './access.js';
import type { AuditEvent, Build, UsageEvent } from './model.js';
import type { Fresh, Store, Tx } from './store.js';

const KEPT = 5_000;

export interface EventPlace {
  /** Null: of an organization, or of none. */
  space_guid?: string | null;
  org_guid?: string | null;
  data?: Record<string, unknown>;
}

/** `audit(tx, store, call.caller, 'audit.app.create', { guid, type: 'app', name }, { space_guid })` */
export function audit(
  tx: Tx,
  store: Store,
  caller: Caller | AuditEvent['actor'],
  type: string,
  target: AuditEvent['target'],
  { space_guid = null, org_guid, data = {} }: EventPlace = {},
): void {
  const actor = 'scopes' in caller ? { guid: caller.guid, type: 'user' as const, name: caller.name } : caller;
  const org = org_guid ?? (space_guid === null ? null : (store.space.get(space_guid)?.org_guid ?? null));
  tx.insert('audit_event', { type, actor, target, data, space_guid, org_guid: org });
  trim(tx, store, 'audit_event');
}

export function usage(tx: Tx, store: Store, event: Fresh<'usage_event'>): UsageEvent {
  trim(tx, store, 'usage_event');
  return tx.insert('usage_event', event);
}

/** What staging is billed by: `STAGING_STARTED`, `STAGING_STOPPED`, and of one that succeeded the buildpack. */
export function stagingUsage(tx: Tx, store: Store, build: Build, current: string, buildpack?: string): void {
  const app = store.app.get(build.app_guid);
  const space = store.space.get(app?.space_guid ?? '');
  if (!app || !space) return;
  const memory = build.staging_memory_in_mb;
  usage(tx, store, {
    state: { current, previous: current === 'STAGING_STARTED' ? null : 'STAGING' },
    app: { guid: app.guid, name: app.name },
    process: { guid: null, type: null },
    space: { guid: space.guid, name: space.name },
    org_guid: space.org_guid,
    buildpack: { guid: store.buildpack.find(({ name }) => name === buildpack)?.guid ?? null, name: buildpack ?? null },
    task: { guid: null, name: null },
    memory_in_mb_per_instance: { current: memory, previous: memory },
    instance_count: { current: 1, previous: 1 },
  });
}

function trim(tx: Tx, store: Store, table: 'audit_event' | 'usage_event'): void {
  const extra = store[table].size - KEPT;
  // Rarely, many at once: sorting is not for every event.
  if (extra > KEPT / 10) for (const { guid } of store[table].all().slice(0, extra)) tx.remove(table, guid);
}
