import { z } from 'zod';
import type { Cc } from '../cc.js';
import { cfError, invalid } from '../errors.js';
import { audit } from '../events.js';
import { created, del, get, jobReply, patch, post, type Call, type Route } from '../http.js';
import { by, included, list } from '../list.js';
import { mergeMetadata, metadataSchema } from '../metadata.js';
import { noMetadata, type Space } from '../model.js';
import { link, resource, toOne } from '../present.js';
import { presentOrg } from './orgs.js';
import { presentSecurityGroup } from './security-groups.js';

const createSchema = z.strictObject({
  name: z.string().min(1).max(255),
  relationships: z.strictObject({ organization: z.strictObject({ data: z.strictObject({ guid: z.string() }) }) }),
  metadata: metadataSchema.optional(),
});
const updateSchema = z.strictObject({
  name: z.string().min(1).max(255).optional(),
  metadata: metadataSchema.optional(),
});
const toOneSchema = z.strictObject({ data: z.strictObject({ guid: z.string() }).nullable() });
const featureSchema = z.strictObject({ enabled: z.boolean() });

export const presentSpace = (cc: Cc, row: Space): object => ({
  ...resource(cc, row, `/v3/spaces/${row.guid}`, {
    organization: `/v3/organizations/${row.org_guid}`,
    features: `/v3/spaces/${row.guid}/features`,
  }),
  name: row.name,
  relationships: { organization: toOne(row.org_guid), quota: toOne(row.quota_guid) },
  metadata: row.metadata,
});

export function spaceRoutes(cc: Cc): Route[] {
  const { store } = cc;
  const present = (row: Space): object => presentSpace(cc, row);
  const include = {
    organization: (rows: readonly Space[]) => ({
      organizations: [...new Set(rows.map(({ org_guid }) => org_guid))].flatMap((guid) => {
        const org = store.org.get(guid);
        return org ? [presentOrg(cc, org)] : [];
      }),
    }),
  };
  const of = (call: Call): Space => call.access.space(call.params['guid'] ?? '');
  const free = (name: string, org_guid: string, own?: string): void => {
    const taken = store.space.find(
      (one) => one.org_guid === org_guid && one.name.toLowerCase() === name.toLowerCase() && one.guid !== own,
    );
    if (taken) throw invalid('Name must be unique per organization');
  };
  const target = (row: Space): { guid: string; type: string; name: string } => ({
    guid: row.guid,
    type: 'space',
    name: row.name,
  });
  const feature = ({ allow_ssh }: Space): object => ({
    name: 'ssh',
    description: 'Enable SSHing into apps in the space.',
    enabled: allow_ssh,
  });
  const checkFeature = (call: Call): void => {
    if (call.params['name'] !== 'ssh') throw cfError('ResourceNotFound', 'Feature not found');
  };

  return [
    get('/v3/spaces', (call) =>
      list(
        call,
        store.space.filter(({ guid }) => call.access.seesSpace(guid)),
        {
          filters: { names: by(({ name }) => name), organization_guids: by(({ org_guid }) => org_guid) },
          order: { name: ({ name }) => name },
          ...{ include, present },
        },
      ),
    ),
    post('/v3/spaces', (call) => {
      const { name, relationships, metadata } = call.parse(createSchema);
      const { guid } = relationships.organization.data;
      if (!store.org.get(guid) || !call.access.seesOrg(guid))
        throw invalid('Invalid organization. Ensure the organization exists and you have access to it.');
      const org = call.access.toManageOrg(guid);
      free(name, org.guid);
      const row = store.change((tx) => {
        const made = tx.insert('space', {
          ...{ name, org_guid: org.guid, quota_guid: null, isolation_segment_guid: null, allow_ssh: true },
          metadata: mergeMetadata(noMetadata(), metadata),
        });
        audit(tx, store, call.caller, 'audit.space.create', target(made), {
          ...{ space_guid: made.guid, org_guid: org.guid },
        });
        return made;
      });
      return created(present(row));
    }),
    get('/v3/spaces/:guid', (call) => {
      const row = of(call);
      return { ...present(row), ...included(call.query, [row], { include }) };
    }),
    patch('/v3/spaces/:guid', (call) => {
      const space = call.access.toManageSpace(call.params['guid'] ?? '');
      const { name, metadata } = call.parse(updateSchema);
      if (name !== undefined) free(name, space.org_guid, space.guid);
      const row = store.change((tx) => {
        audit(tx, store, call.caller, 'audit.space.update', target(space), { space_guid: space.guid });
        return tx.update('space', space.guid, {
          ...(name !== undefined && { name }),
          metadata: mergeMetadata(space.metadata, metadata),
        });
      });
      return present(row);
    }),
    del('/v3/spaces/:guid', (call) => {
      const space = of(call);
      call.access.toManageOrg(space.org_guid);
      store.change((tx) =>
        audit(tx, store, call.caller, 'audit.space.delete-request', target(space), { space_guid: space.guid }),
      );
      return jobReply(cc, cc.jobs.enqueue('space.delete', space.guid));
    }),
    del('/v3/spaces/:guid/routes', (call) => {
      const space = call.access.toDevelop(call.params['guid'] ?? '');
      if (call.query.get('unmapped') !== 'true')
        throw invalid("Mass delete not supported for routes. Use 'unmapped' parameter to delete all unmapped routes.");
      return jobReply(cc, cc.jobs.enqueue('space.delete_unmapped_routes', space.guid));
    }),
    get('/v3/spaces/:guid/features', (call) => ({ resources: [feature(of(call))] })),
    get('/v3/spaces/:guid/features/:name', (call) => {
      const space = of(call);
      checkFeature(call);
      return feature(space);
    }),
    patch('/v3/spaces/:guid/features/:name', (call) => {
      const space = call.access.toManageSpace(call.params['guid'] ?? '');
      checkFeature(call);
      const { enabled } = call.parse(featureSchema);
      return feature(store.change((tx) => tx.update('space', space.guid, { allow_ssh: enabled })));
    }),
    get('/v3/spaces/:guid/relationships/isolation_segment', (call) => ({
      ...toOne(of(call).isolation_segment_guid),
      links: { self: link(cc, call.url) },
    })),
    patch('/v3/spaces/:guid/relationships/isolation_segment', (call) => {
      const space = of(call);
      const org = call.access.toManageOrg(space.org_guid);
      const isolation_segment_guid = call.parse(toOneSchema).data?.guid ?? null;
      const segment = isolation_segment_guid === null ? null : store.isolation_segment.get(isolation_segment_guid);
      if (segment === undefined || segment?.org_guids.includes(org.guid) === false)
        throw invalid(
          `Unable to assign isolation segment with guid '${isolation_segment_guid ?? ''}'. Ensure it has been entitled to the organization that this space belongs to.`,
        );
      store.change((tx) => tx.update('space', space.guid, { isolation_segment_guid }));
      return { ...toOne(isolation_segment_guid), links: { self: link(cc, call.url) } };
    }),
    ...(['running', 'staging'] as const).map((kind) =>
      get(`/v3/spaces/:guid/${kind}_security_groups`, (call) => {
        const space = of(call);
        const rows = store.security_group.filter(
          (one) => one[`globally_${kind}`] || one[`${kind}_spaces`].includes(space.guid),
        );
        return list(call, rows, {
          filters: { names: by(({ name }) => name) },
          present: (row) => presentSecurityGroup(cc, row),
        });
      }),
    ),
  ];
}

export function spaceJobs({ jobs, store }: Cc): void {
  jobs.define('space.delete', async ({ resource_guid }, context) => {
    const inSpace = ({ space_guid }: { space_guid: string }): boolean => space_guid === resource_guid;
    for (const { guid } of store.app.filter(inSpace)) await jobs.perform('app.delete', guid, context);
    for (const { guid } of store.route.filter(inSpace)) await jobs.perform('route.delete', guid, context);
    store.change((tx) => {
      for (const { guid } of store.service_instance.filter(inSpace)) tx.remove('service_instance', guid);
      for (const role of store.role.filter(({ space_guid }) => space_guid === resource_guid))
        tx.remove('role', role.guid);
      for (const group of store.security_group.all()) {
        const without = (guids: string[]): string[] => guids.filter((guid) => guid !== resource_guid);
        if (group.running_spaces.includes(resource_guid) || group.staging_spaces.includes(resource_guid))
          tx.update('security_group', group.guid, {
            running_spaces: without(group.running_spaces),
            staging_spaces: without(group.staging_spaces),
          });
      }
      tx.remove('space', resource_guid);
    });
  });
  jobs.define('space.delete_unmapped_routes', async ({ resource_guid }, context) => {
    const isMapped = (guid: string): boolean => store.destination.find((one) => one.route_guid === guid) !== undefined;
    for (const { guid } of store.route.filter(({ space_guid }) => space_guid === resource_guid))
      if (!isMapped(guid)) await jobs.perform('route.delete', guid, context);
  });
}
