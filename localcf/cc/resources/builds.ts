import { z } from 'zod';
import { createBuild } from '../actions/builds.js';
import type { Cc } from '../cc.js';
import { invalid } from '../errors.js';
import { created, found, get, patch, post, type Call, type Route } from '../http.js';
import { by, list } from '../list.js';
import { mergeMetadata, metadataSchema } from '../metadata.js';
import { noMetadata, type Build } from '../model.js';
import { appOf } from './apps.js';
import { presentBuild } from './present-apps.js';
import { lifecycleSchema } from './shapes.js';

const createSchema = z.strictObject({
  package: z.strictObject({ guid: z.string() }),
  lifecycle: lifecycleSchema.optional(),
  staging_memory_in_mb: z.int().min(1).optional(),
  staging_disk_in_mb: z.int().min(1).optional(),
  staging_log_rate_limit_bytes_per_second: z.int().min(-1).optional(),
  metadata: metadataSchema.optional(),
});

export function buildRoutes(cc: Cc): Route[] {
  const { store } = cc;
  const spaceOf = (row: Build): string => store.app.get(row.app_guid)?.space_guid ?? '';
  const read = (call: Call): Build => {
    const row = found(store.build.get(call.params['guid'] ?? ''), 'Build');
    call.access.space(spaceOf(row), 'Build');
    return row;
  };
  const listOf = (call: Call, rows: readonly Build[]): object =>
    list(call, rows, {
      filters: {
        states: by((row) => row.state),
        app_guids: by((row) => row.app_guid),
        package_guids: by((row) => row.package_guid),
      },
      present: (row) => presentBuild(cc, row),
    });

  return [
    get('/v3/builds', (call) =>
      listOf(
        call,
        store.build.filter((one) => call.access.seesSpace(spaceOf(one))),
      ),
    ),
    get('/v3/apps/:guid/builds', (call) => {
      const app = appOf(cc, call);
      return listOf(
        call,
        store.build.filter((one) => one.app_guid === app.guid),
      );
    }),
    post('/v3/builds', (call) => {
      const body = call.parse(createSchema);
      const row = store.package.get(body.package.guid);
      const app = row && store.app.get(row.app_guid);
      if (!row || !app || !call.access.seesSpace(app.space_guid)) {
        throw invalid('Unable to use package. Ensure that the package exists and you have access to it.');
      }
      call.access.toDevelop(app.space_guid, 'Package');
      const build = store.change((tx) =>
        createBuild(cc, tx, call.caller, {
          ...body,
          package: row,
          metadata: mergeMetadata(noMetadata(), body.metadata),
        }),
      );
      // The CLI reads logs only of an app that has a line.
      cc.diego.say(app, `Creating build for app with guid ${app.guid}`);
      return created(presentBuild(cc, build));
    }),
    get('/v3/builds/:guid', (call) => presentBuild(cc, read(call))),
    patch('/v3/builds/:guid', (call) => {
      const row = read(call);
      call.access.toDevelop(spaceOf(row), 'Build');
      const { metadata } = call.parse(z.looseObject({ metadata: metadataSchema.optional() }));
      return presentBuild(
        cc,
        store.change((tx) => tx.update('build', row.guid, { metadata: mergeMetadata(row.metadata, metadata) })),
      );
    }),
  ];
}
