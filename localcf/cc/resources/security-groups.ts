/**
 * Security groups as rows: who may reach what. They are not enforced per app on this platform: the cell's own default
 * deny holds for all machines (docs/operating.md).
 */
import { z } from 'zod';
import type { Cc } from '../cc.js';
import { invalid } from '../errors.js';
import { created, del, found, get, jobReply, noContent, patch, post, type Call, type Route } from '../http.js';
import { by, byAny, list } from '../list.js';
import type { SecurityGroup } from '../model.js';
import { link, resource, toMany } from '../present.js';

const ruleSchema = z.strictObject({
  protocol: z.enum(['tcp', 'udp', 'icmp', 'icmpv6', 'all']),
  destination: z.string().min(1),
  ports: z.string().optional(),
  type: z.int().optional(),
  code: z.int().optional(),
  description: z.string().optional(),
  log: z.boolean().optional(),
});
const manySchema = z.strictObject({ data: z.array(z.strictObject({ guid: z.string() })) });
const createSchema = z.strictObject({
  name: z.string().min(1),
  globally_enabled: z.strictObject({ running: z.boolean().optional(), staging: z.boolean().optional() }).optional(),
  rules: z.array(ruleSchema).optional(),
  relationships: z
    .strictObject({ running_spaces: manySchema.optional(), staging_spaces: manySchema.optional() })
    .optional(),
});
const updateSchema = createSchema.omit({ relationships: true }).partial();

export const presentSecurityGroup = (cc: Cc, row: SecurityGroup): object => ({
  ...resource(cc, row, `/v3/security_groups/${row.guid}`),
  name: row.name,
  globally_enabled: { running: row.globally_running, staging: row.globally_staging },
  rules: row.rules,
  relationships: { running_spaces: toMany(row.running_spaces), staging_spaces: toMany(row.staging_spaces) },
});

export function securityGroupRoutes(cc: Cc): Route[] {
  const { store } = cc;
  const present = (row: SecurityGroup): object => presentSecurityGroup(cc, row);
  const sees = ({ access }: Call, row: SecurityGroup): boolean =>
    row.globally_running ||
    row.globally_staging ||
    access.admin ||
    [...row.running_spaces, ...row.staging_spaces].some((guid) => access.seesSpace(guid));
  const one = (call: Call): SecurityGroup => {
    const row = store.security_group.get(call.params['guid'] ?? '');
    return found(row && sees(call, row) ? row : undefined, 'Security group');
  };
  const free = (name: string, own?: string): void => {
    if (store.security_group.find((row) => row.name === name && row.guid !== own))
      throw invalid(`Security group with name '${name}' already exists.`);
  };

  return [
    get('/v3/security_groups', (call) =>
      list(
        call,
        store.security_group.filter((row) => sees(call, row)),
        {
          filters: {
            names: by(({ name }) => name),
            globally_enabled_running: by(({ globally_running }) => String(globally_running)),
            globally_enabled_staging: by(({ globally_staging }) => String(globally_staging)),
            running_space_guids: byAny(({ running_spaces }) => running_spaces),
            staging_space_guids: byAny(({ staging_spaces }) => staging_spaces),
          },
          present,
        },
      ),
    ),
    post('/v3/security_groups', (call) => {
      call.access.toAdmin();
      const { name, globally_enabled = {}, rules = [], relationships = {} } = call.parse(createSchema);
      free(name);
      const guids = (many: z.output<typeof manySchema> | undefined): string[] =>
        (many?.data ?? []).map(({ guid }) => guid);
      const row = store.change((tx) =>
        tx.insert('security_group', {
          ...{ name, rules },
          globally_running: globally_enabled.running ?? false,
          globally_staging: globally_enabled.staging ?? false,
          running_spaces: guids(relationships.running_spaces),
          staging_spaces: guids(relationships.staging_spaces),
        }),
      );
      return created(present(row));
    }),
    get('/v3/security_groups/:guid', (call) => present(one(call))),
    patch('/v3/security_groups/:guid', (call) => {
      const row = one(call);
      call.access.toAdmin();
      const { name, globally_enabled = {}, rules } = call.parse(updateSchema);
      if (name !== undefined) free(name, row.guid);
      const patched = {
        ...(name !== undefined && { name }),
        ...(rules !== undefined && { rules }),
        globally_running: globally_enabled.running ?? row.globally_running,
        globally_staging: globally_enabled.staging ?? row.globally_staging,
      };
      return present(store.change((tx) => tx.update('security_group', row.guid, patched)));
    }),
    del('/v3/security_groups/:guid', (call) => {
      const row = one(call);
      call.access.toAdmin();
      return jobReply(cc, cc.jobs.enqueue('security_group.delete', row.guid));
    }),
    ...(['running', 'staging'] as const).flatMap((kind) => [
      post(`/v3/security_groups/:guid/relationships/${kind}_spaces`, (call) => {
        const row = one(call);
        const guids = call.parse(manySchema).data.map(({ guid }) => guid);
        for (const guid of guids) call.access.toManageSpace(guid);
        const all = [...new Set([...row[`${kind}_spaces`], ...guids])];
        const patched = kind === 'running' ? { running_spaces: all } : { staging_spaces: all };
        store.change((tx) => tx.update('security_group', row.guid, patched));
        return { ...toMany(all), links: { self: link(cc, call.url) } };
      }),
      del(`/v3/security_groups/:guid/relationships/${kind}_spaces/:space_guid`, (call) => {
        const row = one(call);
        const { space_guid = '' } = call.params;
        call.access.toManageSpace(space_guid);
        const all = row[`${kind}_spaces`].filter((guid) => guid !== space_guid);
        const patched = kind === 'running' ? { running_spaces: all } : { staging_spaces: all };
        store.change((tx) => tx.update('security_group', row.guid, patched));
        return noContent();
      }),
    ]),
  ];
}

export function securityGroupJobs({ jobs, store }: Cc): void {
  jobs.define('security_group.delete', async ({ resource_guid }) =>
    store.change((tx) => tx.remove('security_group', resource_guid)),
  );
}
