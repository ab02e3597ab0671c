import { readsAll } from '../access.js';
import type { Cc } from '../cc.js';
import { found, get, type Call, type Route } from '../http.js';
import { by, list } from '../list.js';
import type { AuditEvent, UsageEvent } from '../model.js';
import { resource } from '../present.js';

export function auditEventRoutes(cc: Cc): Route[] {
  const { store } = cc;
  const present = (row: AuditEvent): object => ({
    ...resource(cc, row, `/v3/audit_events/${row.guid}`),
    type: row.type,
    actor: row.actor,
    target: row.target,
    data: row.data,
    space: row.space_guid === null ? null : { guid: row.space_guid },
    organization: row.org_guid === null ? null : { guid: row.org_guid },
  });
  const sees = ({ access, caller }: Call, row: AuditEvent): boolean => {
    if (readsAll(caller)) return true;
    if (row.space_guid !== null) return access.seesSpace(row.space_guid);
    return row.org_guid !== null && access.managesOrg(row.org_guid);
  };
  const excluded = (text: string | undefined): ((row: AuditEvent) => boolean) => {
    const without = (text ?? '').split(',').filter((one) => one !== '');
    return ({ target }) => !without.includes(target.guid);
  };

  return [
    get('/v3/audit_events', (call) => {
      const kept = excluded(call.query.get('target_guids[not]'));
      return list(
        call,
        store.audit_event.filter((row) => kept(row) && sees(call, row)),
        {
          filters: {
            types: by(({ type }) => type),
            target_guids: by(({ target }) => target.guid),
            space_guids: by(({ space_guid }) => space_guid),
            organization_guids: by(({ org_guid }) => org_guid),
          },
          allow: ['target_guids[not]'],
          present,
        },
      );
    }),
    get('/v3/audit_events/:guid', (call) => {
      const row = store.audit_event.get(call.params['guid'] ?? '');
      return present(found(row && sees(call, row) ? row : undefined, 'Event'));
    }),
    get('/v3/app_usage_events', (call) => {
      call.access.toAdmin();
      const after = call.query.get('after_guid');
      const since = after === undefined ? 0 : found(store.usage_event.get(after), 'After guid').seq;
      return list(
        call,
        store.usage_event.filter(({ seq }) => seq > since),
        { allow: ['after_guid'], present: (row) => presentUsage(cc, row) },
      );
    }),
    get('/v3/app_usage_events/:guid', (call) => {
      call.access.toAdmin();
      return presentUsage(cc, found(store.usage_event.get(call.params['guid'] ?? ''), 'App usage event'));
    }),
    get('/v3/service_usage_events', (call) => {
      call.access.toAdmin();
      return list(call, [], {
        allow: ['after_guid', 'service_instance_types', 'service_offering_guids'],
        present: (row) => row,
      });
    }),
  ];
}

function presentUsage(cc: Cc, row: UsageEvent): object {
  const { org_guid, seq: _seq, ...shown } = row;
  return { ...shown, ...resource(cc, row, `/v3/app_usage_events/${row.guid}`), organization: { guid: org_guid } };
}
