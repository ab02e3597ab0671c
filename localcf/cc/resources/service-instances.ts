/** Service instances of type user-provided: credentials kept here, given to the apps that are bound. No broker is spoken to. */
import { z } from 'zod';
import type { Cc } from '../cc.js';
import { cfError, invalid } from '../errors.js';
import { audit } from '../events.js';
import { created, del, found, get, noContent, patch, post, type Call, type Route } from '../http.js';
import { by, list } from '../list.js';
import { mergeMetadata, metadataSchema } from '../metadata.js';
import { noMetadata, type ServiceInstance } from '../model.js';
import { link, resource, toOne } from '../present.js';
import { needFlag } from './feature-flags.js';

const url = (scheme: RegExp, message: string) => z.union([z.literal(''), z.string().regex(scheme, message)]).nullish();
const editable = {
  credentials: z.record(z.string(), z.unknown()).nullish(),
  syslog_drain_url: url(/^(syslog|syslog-tls|https?):\/\/.+/, 'must be a URL'),
  route_service_url: url(/^https:\/\/.+/, 'must be https'),
  tags: z.array(z.string()).nullish(),
  metadata: metadataSchema.optional(),
};
const createSchema = z.strictObject({
  type: z.enum(['user-provided', 'managed']),
  name: z.string().min(1).max(255),
  ...editable,
  parameters: z.unknown().optional(),
  relationships: z.strictObject({
    space: z.strictObject({ data: z.strictObject({ guid: z.string() }) }),
    service_plan: z.unknown().optional(),
  }),
});
const updateSchema = z.strictObject({ name: z.string().min(1).max(255).optional(), ...editable });

export const presentInstance = (cc: Cc, row: ServiceInstance): object => ({
  ...resource(cc, row, `/v3/service_instances/${row.guid}`, {
    space: `/v3/spaces/${row.space_guid}`,
    credentials: `/v3/service_instances/${row.guid}/credentials`,
    service_credential_bindings: `/v3/service_credential_bindings?service_instance_guids=${row.guid}`,
    service_route_bindings: `/v3/service_route_bindings?service_instance_guids=${row.guid}`,
  }),
  type: row.type,
  name: row.name,
  tags: row.tags,
  syslog_drain_url: row.syslog_drain_url,
  route_service_url: row.route_service_url,
  last_operation: { ...row.last_operation, created_at: row.created_at, updated_at: row.updated_at },
  relationships: { space: toOne(row.space_guid) },
  metadata: row.metadata,
});

export function serviceInstanceRoutes(cc: Cc): Route[] {
  const { store } = cc;
  const present = (row: ServiceInstance): object => presentInstance(cc, row);
  const one = (call: Call): ServiceInstance => {
    const row = store.service_instance.get(call.params['guid'] ?? '');
    return found(row && call.access.seesSpace(row.space_guid) ? row : undefined, 'Service instance');
  };
  const toChange = (call: Call): ServiceInstance => {
    const row = one(call);
    call.access.toDevelop(row.space_guid, 'Service instance');
    return row;
  };
  const free = (name: string, space_guid: string, own?: string): void => {
    if (store.service_instance.find((row) => row.space_guid === space_guid && row.name === name && row.guid !== own))
      throw invalid(`The service instance name is taken: ${name}.`);
  };
  const target = ({ guid, name }: ServiceInstance): { guid: string; type: string; name: string } => ({
    ...{ guid, name },
    type: 'user_provided_service_instance',
  });

  return [
    get('/v3/service_instances', (call) =>
      list(
        call,
        store.service_instance.filter(({ space_guid }) => call.access.seesSpace(space_guid)),
        {
          filters: {
            names: by(({ name }) => name),
            space_guids: by(({ space_guid }) => space_guid),
            organization_guids: by(({ space_guid }) => store.space.get(space_guid)?.org_guid),
            type: by(({ type }) => type),
            service_plan_guids: () => false,
            service_plan_names: () => false,
          },
          order: { name: ({ name }) => name },
          // The CLI asks for parts of plans, offerings and brokers, of which there are none.
          allow: fieldsIn(call),
          present,
        },
      ),
    ),
    post('/v3/service_instances', (call) => {
      const body = call.parse(createSchema);
      const { guid } = body.relationships.space.data;
      if (!call.access.seesSpace(guid))
        throw invalid('Invalid space. Ensure that the space exists and you have access to it.');
      const space = call.access.toDevelop(guid);
      if (body.type === 'managed')
        throw cfError(
          'NotImplemented',
          'This platform has no service brokers: make a user-provided service instance instead.',
        );
      needFlag(store, 'service_instance_creation', call.access.admin);
      free(body.name, space.guid);
      const row = store.change((tx) => {
        const made = tx.insert('service_instance', {
          ...{ type: 'user-provided', name: body.name, space_guid: space.guid, credentials: body.credentials ?? {} },
          syslog_drain_url: textOf(body.syslog_drain_url),
          route_service_url: textOf(body.route_service_url),
          tags: body.tags ?? [],
          last_operation: { type: 'create', state: 'succeeded', description: 'Operation succeeded' },
          metadata: mergeMetadata(noMetadata(), body.metadata),
        });
        audit(tx, store, call.caller, 'audit.user_provided_service_instance.create', target(made), {
          space_guid: space.guid,
        });
        return made;
      });
      return created(present(row));
    }),
    get('/v3/service_instances/:guid', (call) => present(one(call))),
    patch('/v3/service_instances/:guid', (call) => {
      const row = toChange(call);
      const { name = row.name, metadata, ...body } = call.parse(updateSchema);
      free(name, row.space_guid, row.guid);
      const patched: Partial<ServiceInstance> = {
        name,
        ...(body.credentials !== undefined && { credentials: body.credentials ?? {} }),
        ...(body.syslog_drain_url !== undefined && { syslog_drain_url: textOf(body.syslog_drain_url) }),
        ...(body.route_service_url !== undefined && { route_service_url: textOf(body.route_service_url) }),
        ...(body.tags !== undefined && { tags: body.tags ?? [] }),
        last_operation: { type: 'update', state: 'succeeded', description: 'Operation succeeded' },
        metadata: mergeMetadata(row.metadata, metadata),
      };
      const kept = store.change((tx) => {
        audit(tx, store, call.caller, 'audit.user_provided_service_instance.update', target(row), {
          space_guid: row.space_guid,
        });
        return tx.update('service_instance', row.guid, patched);
      });
      return present(kept);
    }),
    del('/v3/service_instances/:guid', (call) => {
      const row = toChange(call);
      const isBound = store.service_binding.find((one) => one.service_instance_guid === row.guid) !== undefined;
      if (isBound && call.query.get('purge') !== 'true')
        throw cfError(
          'UnprocessableEntity',
          'Please delete the service_bindings and routes associations for your service_instances.',
        );
      store.change((tx) => {
        for (const { guid } of store.service_binding.filter((one) => one.service_instance_guid === row.guid))
          tx.remove('service_binding', guid);
        tx.remove('service_instance', row.guid);
        audit(tx, store, call.caller, 'audit.user_provided_service_instance.delete', target(row), {
          space_guid: row.space_guid,
        });
      });
      return noContent();
    }),
    get('/v3/service_instances/:guid/credentials', (call) => {
      const row = one(call);
      call.access.toReadSecrets(row.space_guid, 'Service instance');
      return row.credentials;
    }),
    get('/v3/service_instances/:guid/parameters', (call) => {
      one(call);
      throw cfError('BadRequest', 'This service does not support fetching service instance parameters.');
    }),
    get('/v3/service_instances/:guid/relationships/shared_spaces', (call) => {
      one(call);
      return { data: [], links: { self: link(cc, call.url) } };
    }),
    get('/v3/service_instances/:guid/relationships/shared_spaces/usage_summary', (call) => {
      one(call);
      return { usage_summary: [], links: { self: link(cc, call.url) } };
    }),
    post('/v3/service_instances/:guid/relationships/shared_spaces', (call) => {
      toChange(call);
      throw invalid('User-provided service instances cannot be shared.');
    }),
  ];
}

const textOf = (value: string | null | undefined): string | null => (value === '' ? null : (value ?? null));

export const fieldsIn = ({ query }: Pick<Call, 'query'>): string[] =>
  [...query.keys()].filter((name) => /^fields\[[\w.]+\]$/.test(name));
