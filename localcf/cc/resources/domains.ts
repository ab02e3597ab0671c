import { z } from 'zod';
import type { Access } from '../access.js';
import type { Cc } from '../cc.js';
import { invalid } from '../errors.js';
import { created, del, found, get, jobReply, noContent, patch, post, type Call, type Route } from '../http.js';
import { by, byText, list } from '../list.js';
import { mergeMetadata, metadataSchema } from '../metadata.js';
import { noMetadata, type Domain } from '../model.js';
import { resource, toMany, toOne } from '../present.js';

const manySchema = z.strictObject({ data: z.array(z.strictObject({ guid: z.string() })) });
const createSchema = z.strictObject({
  name: z.string().min(3).max(253),
  internal: z.boolean().nullish(),
  router_group: z.strictObject({ guid: z.string() }).nullish(),
  relationships: z
    .strictObject({
      organization: z.strictObject({ data: z.strictObject({ guid: z.string() }).nullable() }).optional(),
      shared_organizations: manySchema.optional(),
    })
    .optional(),
  metadata: metadataSchema.optional(),
});
const NAME = /^(?=.{3,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i;

export const presentDomain = (cc: Cc, row: Domain): object => ({
  ...resource(cc, row, `/v3/domains/${row.guid}`, {
    route_reservations: `/v3/domains/${row.guid}/route_reservations`,
    ...(row.org_guid !== null && { organization: `/v3/organizations/${row.org_guid}` }),
  }),
  name: row.name,
  internal: row.internal,
  router_group: row.router_group === null ? null : { guid: row.router_group },
  supported_protocols: row.router_group === null ? ['http'] : ['tcp'],
  relationships: { organization: toOne(row.org_guid), shared_organizations: toMany(row.shared_org_guids) },
  metadata: row.metadata,
});

export function domainRoutes(cc: Cc): Route[] {
  const { store } = cc;
  const present = (row: Domain): object => presentDomain(cc, row);
  const sees = (access: Access, row: Domain): boolean =>
    row.org_guid === null || [row.org_guid, ...row.shared_org_guids].some((guid) => access.seesOrg(guid));
  const one = (call: Call): Domain => {
    const row = store.domain.get(call.params['guid'] ?? '');
    return found(row && sees(call.access, row) ? row : undefined, 'Domain');
  };
  const toChange = (call: Call): Domain => {
    const row = one(call);
    if (row.org_guid === null) call.access.toAdmin();
    else call.access.toManageOrg(row.org_guid);
    return row;
  };

  return [
    get('/v3/domains', (call) =>
      list(
        call,
        store.domain.filter((row) => sees(call.access, row)),
        {
          filters: { names: byText(({ name }) => name), organization_guids: by(({ org_guid }) => org_guid) },
          present,
        },
      ),
    ),
    post('/v3/domains', (call) => {
      const { name, internal, router_group, relationships = {}, metadata } = call.parse(createSchema);
      const org_guid = relationships.organization?.data?.guid ?? null;
      if (org_guid === null) call.access.toAdmin();
      else call.access.toManageOrg(org_guid);
      if (!NAME.test(name))
        throw invalid('Name does not comply with RFC 1035 standards', 'Name must contain at least one "."');
      if (router_group != null) throw invalid('Router group: this platform has no TCP router groups.');
      const lower = name.toLowerCase();
      if (store.domain.find((row) => row.name === lower)) throw invalid(`The domain name "${lower}" is already in use`);
      const shared_org_guids = (relationships.shared_organizations?.data ?? []).map(({ guid }) => guid);
      for (const guid of shared_org_guids) call.access.org(guid);
      const row = store.change((tx) =>
        tx.insert('domain', {
          ...{ name: lower, internal: internal ?? false, router_group: null, org_guid, shared_org_guids },
          metadata: mergeMetadata(noMetadata(), metadata),
        }),
      );
      return created(present(row));
    }),
    get('/v3/domains/:guid', (call) => present(one(call))),
    patch('/v3/domains/:guid', (call) => {
      const row = toChange(call);
      const { metadata } = call.parse(z.strictObject({ metadata: metadataSchema.optional() }));
      const patched = { metadata: mergeMetadata(row.metadata, metadata) };
      return present(store.change((tx) => tx.update('domain', row.guid, patched)));
    }),
    del('/v3/domains/:guid', (call) => {
      const row = toChange(call);
      if (row.shared_org_guids.length > 0)
        throw invalid('This domain is shared with other organizations. Unshare before deleting.');
      return jobReply(cc, cc.jobs.enqueue('domain.delete', row.guid));
    }),
    post('/v3/domains/:guid/relationships/shared_organizations', (call) => {
      const row = toChange(call);
      if (row.org_guid === null)
        throw invalid('Domains can not be shared with other organizations unless they are scoped to an organization.');
      const guids = call.parse(manySchema).data.map(({ guid }) => call.access.org(guid).guid);
      const shared_org_guids = [...new Set([...row.shared_org_guids, ...guids])];
      store.change((tx) => tx.update('domain', row.guid, { shared_org_guids }));
      return toMany(shared_org_guids);
    }),
    del('/v3/domains/:guid/relationships/shared_organizations/:org_guid', (call) => {
      const row = toChange(call);
      const { org_guid = '' } = call.params;
      const inOrg = (guid: string): boolean => store.space.get(guid)?.org_guid === org_guid;
      if (store.route.find(({ domain_guid, space_guid }) => domain_guid === row.guid && inOrg(space_guid)))
        throw invalid(
          'This domain has associated routes in this organization. Delete the associated routes before unsharing.',
        );
      const shared_org_guids = row.shared_org_guids.filter((guid) => guid !== org_guid);
      store.change((tx) => tx.update('domain', row.guid, { shared_org_guids }));
      return noContent();
    }),
  ];
}

export function domainJobs({ jobs, store }: Cc): void {
  jobs.define('domain.delete', async ({ resource_guid }, context) => {
    for (const { guid } of store.route.filter(({ domain_guid }) => domain_guid === resource_guid))
      await jobs.perform('route.delete', guid, context);
    store.change((tx) => tx.remove('domain', resource_guid));
  });
}
