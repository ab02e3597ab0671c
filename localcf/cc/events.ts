/** What `cf events` shows, and what is billed by. Kept bounded. */
import type { Caller } from './access.js';
import type { AuditEvent, UsageEvent } from './model.js';
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

function trim(tx: Tx, store: Store, table: 'audit_event' | 'usage_event'): void {
  const extra = store[table].size - KEPT;
  // Rarely, many at once: sorting is not for every event.
  if (extra > KEPT / 10) for (const { guid } of store[table].all().slice(0, extra)) tx.remove(table, guid);
}
