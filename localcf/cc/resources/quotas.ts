/** Quotas of organizations and spaces. */
import { z } from 'zod';
import type { Access } from '../access.js';
import type { Cc } from '../cc.js';
import { cfError, invalid } from '../errors.js';
import { created, del, found, get, jobReply, noContent, patch, post, type Call, type Route } from '../http.js';
import { by, list } from '../list.js';
import type { Quota } from '../model.js';
import { link, resource, toMany, toOne } from '../present.js';

const limit = z.int().min(0).nullable().optional();
const manySchema = z.strictObject({ data: z.array(z.strictObject({ guid: z.string() })) });
const fields = {
  name: z.string().min(1).max(250),
  apps: z
    .strictObject({
      total_memory_in_mb: limit,
      per_process_memory_in_mb: limit,
      total_instances: limit,
      per_app_tasks: limit,
      log_rate_limit_in_bytes_per_second: z.int().min(-1).nullable().optional(),
    })
    .optional(),
  services: z
    .strictObject({
      paid_services_allowed: z.boolean().optional(),
      total_service_instances: limit,
      total_service_keys: limit,
    })
    .optional(),
  routes: z.strictObject({ total_routes: limit, total_reserved_ports: limit }).optional(),
};
const orgSchema = z.strictObject({
  ...fields,
  domains: z.strictObject({ total_domains: limit }).optional(),
  relationships: z.strictObject({ organizations: manySchema.optional() }).optional(),
});
const spaceSchema = z.strictObject({
  ...fields,
  relationships: z.strictObject({
    organization: z.strictObject({ data: z.strictObject({ guid: z.string() }) }),
    spaces: manySchema.optional(),
  }),
});
const updateSchema = orgSchema.omit({ relationships: true }).partial();
const updateSpaceSchema = spaceSchema.omit({ relationships: true }).partial();
type Limits = Pick<Quota, 'apps' | 'services' | 'routes' | 'domains'>;
type Patch = z.output<typeof updateSchema>;

/** Nothing limited. */
export const noLimits = (): Limits => ({
  apps: {
    total_memory_in_mb: null,
    per_process_memory_in_mb: null,
    total_instances: null,
    per_app_tasks: null,
    log_rate_limit_in_bytes_per_second: null,
  },
  services: { paid_services_allowed: true, total_service_instances: null, total_service_keys: null },
  routes: { total_routes: null, total_reserved_ports: null },
  domains: { total_domains: null },
});

const given = (values: object | undefined): object =>
  Object.fromEntries(Object.entries(values ?? {}).filter(([, value]) => value !== undefined));

const merge = (before: Limits, { apps, services, routes, domains }: Partial<Patch>): Limits => ({
  apps: { ...before.apps, ...given(apps) },
  services: { ...before.services, ...given(services) },
  routes: { ...before.routes, ...given(routes) },
  domains: { ...before.domains, ...given(domains) },
});

export function quotaRoutes(cc: Cc): Route[] {
  return [...orgQuotaRoutes(cc), ...spaceQuotaRoutes(cc)];
}

function orgQuotaRoutes(cc: Cc): Route[] {
  const { store } = cc;
  const present = (row: Quota): object => {
    const orgs = store.org.filter(({ quota_guid }) => quota_guid === row.guid).map(({ guid }) => guid);
    const { name, apps, services, routes, domains } = row;
    return {
      ...resource(cc, row, `/v3/organization_quotas/${row.guid}`),
      ...{ name, apps, services, routes, domains },
      relationships: { organizations: toMany(orgs) },
    };
  };
  const ofOrgs = (guid: string | undefined): Quota => {
    const row = store.quota.get(guid ?? '');
    return found(row?.org_guid === null ? row : undefined, 'Organization quota');
  };
  const free = (name: string, own?: string): void => {
    if (store.quota.find((row) => row.org_guid === null && row.name === name && row.guid !== own))
      throw invalid(`Organization Quota '${name}' already exists.`);
  };

  return [
    get('/v3/organization_quotas', (call) =>
      list(
        call,
        store.quota.filter(({ org_guid }) => org_guid === null),
        {
          filters: {
            names: by(({ name }) => name),
            organization_guids: ({ guid }, values) =>
              store.org.find((org) => org.quota_guid === guid && values.includes(org.guid)) !== undefined,
          },
          order: { name: ({ name }) => name },
          present,
        },
      ),
    ),
    post('/v3/organization_quotas', (call) => {
      call.access.toAdmin();
      const { name, relationships, ...limits } = call.parse(orgSchema);
      free(name);
      const orgs = (relationships?.organizations?.data ?? []).map(({ guid }) => call.access.org(guid).guid);
      const row = store.change((tx) => {
        const made = tx.insert('quota', { name, org_guid: null, ...merge(noLimits(), limits) });
        for (const guid of orgs) tx.update('org', guid, { quota_guid: made.guid });
        return made;
      });
      return created(present(row));
    }),
    get('/v3/organization_quotas/:guid', ({ params }) => present(ofOrgs(params['guid']))),
    patch('/v3/organization_quotas/:guid', (call) => {
      const row = ofOrgs(call.params['guid']);
      call.access.toAdmin();
      const { name = row.name, ...limits } = call.parse(updateSchema);
      free(name, row.guid);
      return present(store.change((tx) => tx.update('quota', row.guid, { name, ...merge(row, limits) })));
    }),
    del('/v3/organization_quotas/:guid', (call) => {
      const row = ofOrgs(call.params['guid']);
      call.access.toAdmin();
      if (store.org.find(({ quota_guid }) => quota_guid === row.guid))
        throw cfError(
          'UnprocessableEntity',
          'This quota is applied to one or more organizations. Remove this quota from all organizations before deleting.',
        );
      return jobReply(cc, cc.jobs.enqueue('quota.delete', row.guid));
    }),
    post('/v3/organization_quotas/:guid/relationships/organizations', (call) => {
      const row = ofOrgs(call.params['guid']);
      call.access.toAdmin();
      const guids = call.parse(manySchema).data.map(({ guid }) => call.access.org(guid).guid);
      store.change((tx) => {
        for (const guid of guids) tx.update('org', guid, { quota_guid: row.guid });
      });
      const all = store.org.filter(({ quota_guid }) => quota_guid === row.guid).map(({ guid }) => guid);
      return created({ ...toMany(all), links: { self: link(cc, call.url) } });
    }),
  ];
}

function spaceQuotaRoutes(cc: Cc): Route[] {
  const { store } = cc;
  const present = (row: Quota): object => {
    const spaces = store.space.filter(({ quota_guid }) => quota_guid === row.guid).map(({ guid }) => guid);
    const { name, apps, services, routes } = row;
    return {
      ...resource(cc, row, `/v3/space_quotas/${row.guid}`, { organization: `/v3/organizations/${row.org_guid ?? ''}` }),
      ...{ name, apps, services, routes },
      relationships: { organization: toOne(row.org_guid), spaces: toMany(spaces) },
    };
  };
  const sees = (access: Access, row: Quota): boolean => row.org_guid !== null && access.seesOrg(row.org_guid);
  const one = (call: Call): Quota => {
    const row = store.quota.get(call.params['guid'] ?? '');
    return found(row && sees(call.access, row) ? row : undefined, 'Space quota');
  };
  const toChange = (call: Call): Quota => {
    const row = one(call);
    call.access.toManageOrg(row.org_guid ?? '');
    return row;
  };
  const free = (name: string, org_guid: string | null, own?: string): void => {
    if (store.quota.find((row) => row.org_guid === org_guid && row.name === name && row.guid !== own))
      throw invalid(`Space Quota '${name}' already exists.`);
  };
  const spacesOf = (call: Call, org_guid: string | null, guids: readonly { guid: string }[]): string[] =>
    guids.map(({ guid }) => {
      const space = call.access.space(guid);
      if (space.org_guid !== org_guid)
        throw invalid('Space quotas cannot be applied outside of their owning organization.');
      return space.guid;
    });

  return [
    get('/v3/space_quotas', (call) =>
      list(
        call,
        store.quota.filter((row) => sees(call.access, row)),
        {
          filters: {
            names: by(({ name }) => name),
            organization_guids: by(({ org_guid }) => org_guid),
            space_guids: ({ guid }, values) =>
              store.space.find((space) => space.quota_guid === guid && values.includes(space.guid)) !== undefined,
          },
          order: { name: ({ name }) => name },
          present,
        },
      ),
    ),
    post('/v3/space_quotas', (call) => {
      const { name, relationships, ...limits } = call.parse(spaceSchema);
      const org_guid = call.access.toManageOrg(relationships.organization.data.guid).guid;
      free(name, org_guid);
      const spaces = spacesOf(call, org_guid, relationships.spaces?.data ?? []);
      const row = store.change((tx) => {
        const made = tx.insert('quota', { name, org_guid, ...merge(noLimits(), limits) });
        for (const guid of spaces) tx.update('space', guid, { quota_guid: made.guid });
        return made;
      });
      return created(present(row));
    }),
    get('/v3/space_quotas/:guid', (call) => present(one(call))),
    patch('/v3/space_quotas/:guid', (call) => {
      const row = toChange(call);
      const { name = row.name, ...limits } = call.parse(updateSpaceSchema);
      free(name, row.org_guid, row.guid);
      return present(store.change((tx) => tx.update('quota', row.guid, { name, ...merge(row, limits) })));
    }),
    del('/v3/space_quotas/:guid', (call) => jobReply(cc, cc.jobs.enqueue('quota.delete', toChange(call).guid))),
    post('/v3/space_quotas/:guid/relationships/spaces', (call) => {
      const row = toChange(call);
      const guids = spacesOf(call, row.org_guid, call.parse(manySchema).data);
      store.change((tx) => {
        for (const guid of guids) tx.update('space', guid, { quota_guid: row.guid });
      });
      const all = store.space.filter(({ quota_guid }) => quota_guid === row.guid).map(({ guid }) => guid);
      return created({ ...toMany(all), links: { self: link(cc, call.url) } });
    }),
    del('/v3/space_quotas/:guid/relationships/spaces/:space_guid', (call) => {
      const row = toChange(call);
      const space = call.access.space(call.params['space_guid'] ?? '');
      if (space.quota_guid !== row.guid)
        throw invalid(
          `Unable to remove quota from space with guid '${space.guid}'. Ensure the space quota is applied to this space.`,
        );
      store.change((tx) => tx.update('space', space.guid, { quota_guid: null }));
      return noContent();
    }),
  ];
}

export function quotaJobs({ jobs, store }: Cc): void {
  jobs.define('quota.delete', async ({ resource_guid }) =>
    store.change((tx) => {
      for (const space of store.space.filter(({ quota_guid }) => quota_guid === resource_guid))
        tx.update('space', space.guid, { quota_guid: null });
      tx.remove('quota', resource_guid);
    }),
  );
}
