/** Bindings of apps to user-provided service instances: what fills VCAP_SERVICES. */
import { z } from 'zod';
import type { Cc } from '../cc.js';
import { invalid } from '../errors.js';
import { audit } from '../events.js';
import { created, del, found, get, noContent, patch, post, type Call, type Route } from '../http.js';
import { by, included, list } from '../list.js';
import { mergeMetadata, metadataSchema } from '../metadata.js';
import { noMetadata, type ServiceBinding } from '../model.js';
import { resource, toOne } from '../present.js';
import { presentApp } from './present-apps.js';
import { fieldsIn, presentInstance } from './service-instances.js';

const toOneSchema = z.strictObject({ data: z.strictObject({ guid: z.string() }) });
const createSchema = z.strictObject({
  type: z.enum(['app', 'key']),
  name: z.string().min(1).nullish(),
  strategy: z.enum(['single', 'multiple']).optional(),
  parameters: z.unknown().optional(),
  relationships: z.strictObject({ service_instance: toOneSchema, app: toOneSchema.optional() }),
  metadata: metadataSchema.optional(),
});

export function serviceBindingRoutes(cc: Cc): Route[] {
  const { store } = cc;
  const present = (row: ServiceBinding): object => ({
    ...resource(cc, row, `/v3/service_credential_bindings/${row.guid}`, {
      details: `/v3/service_credential_bindings/${row.guid}/details`,
      service_instance: `/v3/service_instances/${row.service_instance_guid}`,
      app: `/v3/apps/${row.app_guid}`,
    }),
    type: row.type,
    name: row.name,
    last_operation: {
      ...{ type: 'create', state: 'succeeded', description: '' },
      ...{ created_at: row.created_at, updated_at: row.updated_at },
    },
    metadata: row.metadata,
    relationships: { app: toOne(row.app_guid), service_instance: toOne(row.service_instance_guid) },
  });
  const appOf = (row: ServiceBinding) => store.app.get(row.app_guid);
  const spaceOf = (row: ServiceBinding): string => appOf(row)?.space_guid ?? '';
  const one = (call: Call): ServiceBinding => {
    const row = store.service_binding.get(call.params['guid'] ?? '');
    return found(row && call.access.seesSpace(spaceOf(row)) ? row : undefined, 'Service credential binding');
  };
  const include = {
    app: (rows: readonly ServiceBinding[]) => ({
      apps: [...new Set(rows.map(({ app_guid }) => app_guid))].flatMap((guid) => {
        const app = store.app.get(guid);
        return app ? [presentApp(cc, app)] : [];
      }),
    }),
    service_instance: (rows: readonly ServiceBinding[]) => ({
      service_instances: [...new Set(rows.map((row) => row.service_instance_guid))].flatMap((guid) => {
        const instance = store.service_instance.get(guid);
        return instance ? [presentInstance(cc, instance)] : [];
      }),
    }),
  };
  const target = (row: ServiceBinding): { guid: string; type: string; name: string } => ({
    ...{ guid: row.guid, type: 'service_binding', name: row.name ?? '' },
  });

  return [
    get('/v3/service_credential_bindings', (call) =>
      list(
        call,
        store.service_binding.filter((row) => call.access.seesSpace(spaceOf(row))),
        {
          filters: {
            names: by(({ name }) => name),
            type: by(({ type }) => type),
            app_guids: by(({ app_guid }) => app_guid),
            app_names: by((row) => appOf(row)?.name),
            service_instance_guids: by((row) => row.service_instance_guid),
            service_instance_names: by((row) => store.service_instance.get(row.service_instance_guid)?.name),
            service_plan_guids: () => false,
            service_plan_names: () => false,
            service_offering_guids: () => false,
            service_offering_names: () => false,
          },
          allow: fieldsIn(call),
          ...{ include, present },
        },
      ),
    ),
    post('/v3/service_credential_bindings', (call) => {
      const { type, name = null, relationships, metadata } = call.parse(createSchema);
      if (type === 'key')
        throw invalid(
          "Service credential bindings of type 'key' are not supported for user-provided service instances.",
        );
      const app = store.app.get(relationships.app?.data.guid ?? '');
      const instance = store.service_instance.get(relationships.service_instance.data.guid);
      if (!app || !call.access.seesSpace(app.space_guid))
        throw invalid(`The app could not be found: '${relationships.app?.data.guid ?? ''}'`);
      if (!instance || !call.access.seesSpace(instance.space_guid))
        throw invalid(`The service instance could not be found: '${relationships.service_instance.data.guid}'`);
      const space = call.access.toDevelop(app.space_guid, 'App');
      if (instance.space_guid !== space.guid)
        throw invalid('The service instance and the app are in different spaces.');
      const mine = store.service_binding.filter(({ app_guid }) => app_guid === app.guid);
      if (mine.some((row) => row.service_instance_guid === instance.guid))
        throw invalid('The app is already bound to the service instance');
      if (name !== null && mine.some((row) => row.name === name))
        throw invalid(
          `The binding name is invalid. App binding names must be unique. The app already has a binding with name '${name}'.`,
        );
      const row = store.change((tx) => {
        const made = tx.insert('service_binding', {
          ...{ type, name, app_guid: app.guid, service_instance_guid: instance.guid },
          ...{ credentials: instance.credentials, syslog_drain_url: instance.syslog_drain_url },
          metadata: mergeMetadata(noMetadata(), metadata),
        });
        audit(tx, store, call.caller, 'audit.service_binding.create', target(made), { space_guid: space.guid });
        return made;
      });
      return created(present(row));
    }),
    get('/v3/service_credential_bindings/:guid', (call) => {
      const row = one(call);
      return { ...present(row), ...included(call.query, [row], { include }) };
    }),
    patch('/v3/service_credential_bindings/:guid', (call) => {
      const row = one(call);
      call.access.toDevelop(spaceOf(row));
      const { metadata } = call.parse(z.strictObject({ metadata: metadataSchema.optional() }));
      const patched = { metadata: mergeMetadata(row.metadata, metadata) };
      return present(store.change((tx) => tx.update('service_binding', row.guid, patched)));
    }),
    del('/v3/service_credential_bindings/:guid', (call) => {
      const row = one(call);
      const space = call.access.toDevelop(spaceOf(row));
      store.change((tx) => {
        tx.remove('service_binding', row.guid);
        audit(tx, store, call.caller, 'audit.service_binding.delete', target(row), { space_guid: space.guid });
      });
      return noContent();
    }),
    get('/v3/service_credential_bindings/:guid/details', (call) => {
      const row = one(call);
      call.access.toReadSecrets(spaceOf(row));
      const { credentials, syslog_drain_url } = row;
      return { credentials, volume_mounts: [], ...(syslog_drain_url !== null && { syslog_drain_url }) };
    }),
    get('/v3/service_credential_bindings/:guid/parameters', (call) => {
      one(call);
      return {};
    }),
  ];
}
