import { z } from 'zod';
import type { Cc } from '../cc.js';
import { found, get, patch, type Call, type Route } from '../http.js';
import { by, list } from '../list.js';
import { mergeMetadata, metadataSchema } from '../metadata.js';
import type { Revision } from '../model.js';
import { link, resource, toOne } from '../present.js';
import { appOf } from './apps.js';

export function revisionRoutes(cc: Cc): Route[] {
  const { store } = cc;
  const present = (row: Revision): object => ({
    ...resource(cc, row, `/v3/revisions/${row.guid}`, {
      app: `/v3/apps/${row.app_guid}`,
      environment_variables: `/v3/revisions/${row.guid}/environment_variables`,
    }),
    version: row.version,
    droplet: { guid: row.droplet_guid },
    description: row.description,
    deployable: store.droplet.get(row.droplet_guid)?.state === 'STAGED',
    processes: Object.fromEntries(Object.entries(row.commands).map(([type, command]) => [type, { command }])),
    sidecars: row.sidecars,
    relationships: { app: toOne(row.app_guid) },
    metadata: row.metadata,
  });
  const read = (call: Call): Revision => {
    const row = found(store.revision.get(call.params['guid'] ?? ''), 'Revision');
    call.access.space(store.app.get(row.app_guid)?.space_guid ?? '', 'Revision');
    return row;
  };
  const listOf = (call: Call, rows: readonly Revision[]): object =>
    list(call, rows, {
      filters: { versions: by((row) => row.version) },
      order: { version: (row) => row.version },
      present,
    });

  return [
    get('/v3/apps/:guid/revisions', (call) => {
      const app = appOf(cc, call);
      return listOf(
        call,
        store.revision.filter((one) => one.app_guid === app.guid),
      );
    }),
    get('/v3/apps/:guid/revisions/deployed', (call) => {
      const app = appOf(cc, call);
      const running = new Set(
        store.process.filter((one) => one.app_guid === app.guid && one.instances > 0).map((one) => one.revision_guid),
      );
      const rows = app.state === 'STARTED' ? store.revision.filter(({ guid }) => running.has(guid)) : [];
      return listOf(call, rows);
    }),
    get('/v3/revisions/:guid', (call) => present(read(call))),
    patch('/v3/revisions/:guid', (call) => {
      const row = read(call);
      call.access.toDevelop(store.app.get(row.app_guid)?.space_guid ?? '', 'Revision');
      const { metadata } = call.parse(z.strictObject({ metadata: metadataSchema.optional() }));
      return present(
        store.change((tx) => tx.update('revision', row.guid, { metadata: mergeMetadata(row.metadata, metadata) })),
      );
    }),
    get('/v3/revisions/:guid/environment_variables', (call) => {
      const row = read(call);
      call.access.toReadSecrets(store.app.get(row.app_guid)?.space_guid ?? '', 'Revision');
      return {
        var: row.environment,
        links: {
          self: link(cc, `/v3/revisions/${row.guid}/environment_variables`),
          revision: link(cc, `/v3/revisions/${row.guid}`),
          app: link(cc, `/v3/apps/${row.app_guid}`),
        },
      };
    }),
  ];
}
