import { z } from 'zod';
import type { Cc } from '../cc.js';
import { invalid } from '../errors.js';
import { audit } from '../events.js';
import { created, del, get, jobReply, patch, post, type Route } from '../http.js';
import { by, list } from '../list.js';
import { mergeMetadata, metadataSchema } from '../metadata.js';
import { noMetadata, type Org } from '../model.js';
import { link, resource, toOne } from '../present.js';
import { presentDomain } from './domains.js';

const createSchema = z.strictObject({
  name: z.string().min(1).max(255),
  suspended: z.boolean().optional(),
  metadata: metadataSchema.optional(),
});
const updateSchema = createSchema.partial();
const toOneSchema = z.strictObject({ data: z.strictObject({ guid: z.string() }).nullable() });

export const presentOrg = (cc: Cc, row: Org): object => ({
  ...resource(cc, row, `/v3/organizations/${row.guid}`, {
    domains: `/v3/organizations/${row.guid}/domains`,
    default_domain: `/v3/organizations/${row.guid}/domains/default`,
    quota: `/v3/organization_quotas/${row.quota_guid}`,
  }),
  name: row.name,
  suspended: row.suspended,
  relationships: { quota: toOne(row.quota_guid) },
  metadata: row.metadata,
});

export function orgRoutes(cc: Cc): Route[] {
  const { store } = cc;
  const present = (row: Org): object => presentOrg(cc, row);
  const free = (name: string, own?: string): void => {
    const taken = store.org.find((org) => org.name.toLowerCase() === name.toLowerCase() && org.guid !== own);
    if (taken) throw invalid(`Organization '${name}' already exists.`);
  };
  const target = (org: Pick<Org, 'guid' | 'name'>): { guid: string; type: string; name: string } => ({
    guid: org.guid,
    type: 'organization',
    name: org.name,
  });

  return [
    get('/v3/organizations', (call) =>
      list(
        call,
        store.org.filter(({ guid }) => call.access.seesOrg(guid)),
        { filters: { names: by(({ name }) => name) }, order: { name: ({ name }) => name }, present },
      ),
    ),
    post('/v3/organizations', (call) => {
      const { name, suspended = false, metadata } = call.parse(createSchema);
      const flag = store.feature_flag.get('user_org_creation');
      if (flag?.enabled !== true) call.access.toAdmin();
      free(name);
      const quota = store.quota.find((one) => one.org_guid === null && one.name === 'default');
      const row = store.change((tx) => {
        const made = tx.insert('org', {
          ...{ name, suspended, quota_guid: quota?.guid ?? '', isolation_segment_guid: null },
          metadata: mergeMetadata(noMetadata(), metadata),
        });
        if (!call.access.admin)
          for (const type of ['organization_user', 'organization_manager'] as const)
            tx.insert('role', { type, user_guid: call.caller.guid, org_guid: made.guid, space_guid: null });
        audit(tx, store, call.caller, 'audit.organization.create', target(made), { org_guid: made.guid });
        return made;
      });
      return created(present(row));
    }),
    get('/v3/organizations/:guid', ({ access, params }) => present(access.org(params['guid'] ?? ''))),
    patch('/v3/organizations/:guid', (call) => {
      const org = call.access.toManageOrg(call.params['guid'] ?? '');
      const { name, suspended, metadata } = call.parse(updateSchema);
      if (suspended !== undefined && suspended !== org.suspended) call.access.toAdmin();
      if (name !== undefined) free(name, org.guid);
      const row = store.change((tx) => {
        audit(tx, store, call.caller, 'audit.organization.update', target(org), { org_guid: org.guid });
        return tx.update('org', org.guid, {
          ...(name !== undefined && { name }),
          ...(suspended !== undefined && { suspended }),
          metadata: mergeMetadata(org.metadata, metadata),
        });
      });
      return present(row);
    }),
    del('/v3/organizations/:guid', (call) => {
      const org = call.access.org(call.params['guid'] ?? '');
      call.access.toAdmin();
      store.change((tx) =>
        audit(tx, store, call.caller, 'audit.organization.delete-request', target(org), { org_guid: org.guid }),
      );
      return jobReply(cc, cc.jobs.enqueue('organization.delete', org.guid));
    }),
    get('/v3/organizations/:guid/domains', (call) => {
      const org = call.access.org(call.params['guid'] ?? '');
      const usable = store.domain.filter(
        (one) => one.org_guid === null || one.org_guid === org.guid || one.shared_org_guids.includes(org.guid),
      );
      return list(call, usable, {
        filters: {
          names: by(({ name }) => name),
          organization_guids: by(({ org_guid }) => org_guid),
        },
        present: (row) => presentDomain(cc, row),
      });
    }),
    get('/v3/organizations/:guid/domains/default', (call) => {
      call.access.org(call.params['guid'] ?? '');
      const first = store.domain.find((one) => one.org_guid === null && !one.internal);
      if (!first) throw invalid('No default domains available');
      return presentDomain(cc, first);
    }),
    get('/v3/organizations/:guid/usage_summary', (call) => {
      const org = call.access.org(call.params['guid'] ?? '');
      const spaces = new Set(store.space.filter(({ org_guid }) => org_guid === org.guid).map(({ guid }) => guid));
      const started = store.app.filter(({ space_guid, state }) => spaces.has(space_guid) && state === 'STARTED');
      const guids = new Set(started.map(({ guid }) => guid));
      const processes = store.process.filter(({ app_guid }) => guids.has(app_guid));
      return {
        usage_summary: {
          started_instances: processes.reduce((sum, { instances }) => sum + instances, 0),
          memory_in_mb: processes.reduce((sum, { instances, memory_in_mb }) => sum + instances * memory_in_mb, 0),
          routes: store.route.filter(({ space_guid }) => spaces.has(space_guid)).length,
          service_instances: store.service_instance.filter(({ space_guid }) => spaces.has(space_guid)).length,
          reserved_ports: store.route.filter(({ space_guid, port }) => spaces.has(space_guid) && port !== null).length,
          domains: store.domain.filter(({ org_guid }) => org_guid === org.guid).length,
          per_app_tasks: 0,
          service_keys: 0,
        },
        links: { self: link(cc, call.url), organization: link(cc, `/v3/organizations/${org.guid}`) },
      };
    }),
    get('/v3/organizations/:guid/relationships/default_isolation_segment', (call) => ({
      ...toOne(call.access.org(call.params['guid'] ?? '').isolation_segment_guid),
      links: { self: link(cc, call.url) },
    })),
    patch('/v3/organizations/:guid/relationships/default_isolation_segment', (call) => {
      const org = call.access.toManageOrg(call.params['guid'] ?? '');
      const isolation_segment_guid = call.parse(toOneSchema).data?.guid ?? null;
      const segment = isolation_segment_guid === null ? null : store.isolation_segment.get(isolation_segment_guid);
      if (segment === undefined || segment?.org_guids.includes(org.guid) === false)
        throw invalid(
          `Unable to assign isolation segment with guid '${isolation_segment_guid ?? ''}'. Ensure it has been entitled to the organization.`,
        );
      store.change((tx) => tx.update('org', org.guid, { isolation_segment_guid }));
      return { ...toOne(isolation_segment_guid), links: { self: link(cc, call.url) } };
    }),
  ];
}

export function orgJobs({ jobs, store }: Cc): void {
  jobs.define('organization.delete', async ({ resource_guid }, context) => {
    for (const { guid } of store.space.filter(({ org_guid }) => org_guid === resource_guid))
      await jobs.perform('space.delete', guid, context);
    for (const { guid } of store.domain.filter(({ org_guid }) => org_guid === resource_guid))
      await jobs.perform('domain.delete', guid, context);
    store.change((tx) => {
      for (const role of store.role.filter(({ org_guid }) => org_guid === resource_guid)) tx.remove('role', role.guid);
      for (const quota of store.quota.filter(({ org_guid }) => org_guid === resource_guid))
        tx.remove('quota', quota.guid);
      for (const one of store.domain.filter(({ shared_org_guids }) => shared_org_guids.includes(resource_guid)))
        tx.update('domain', one.guid, {
          shared_org_guids: one.shared_org_guids.filter((guid) => guid !== resource_guid),
        });
      tx.remove('org', resource_guid);
    });
  });
}
