import { z } from 'zod';
import { recordApp } from '../actions/apps.js';
import { MATCHED_BYTES } from '../bits/resources.js';
import { sendBlob } from '../bits/download.js';
import type { Cc } from '../cc.js';
import { invalid } from '../errors.js';
import { created, del, found, get, jobReply, patch, post, type Call, type Route } from '../http.js';
import { by, list } from '../list.js';
import { mergeMetadata, metadataSchema } from '../metadata.js';
import { noMetadata, type App, type Package } from '../model.js';
import { appOf } from './apps.js';
import { resourceSchema, uploadPackage } from './package-upload.js';
import { presentDroplet, presentPackage } from './present-apps.js';
import { guidRef } from './shapes.js';

const createSchema = z.strictObject({
  type: z.enum(['bits', 'docker']),
  data: z
    .strictObject({
      image: z.string().min(1).optional(),
      username: z.string().nullable().optional(),
      password: z.string().nullable().optional(),
    })
    .optional(),
  relationships: z.strictObject({ app: guidRef }),
  metadata: metadataSchema.optional(),
});

const matchSchema = z.strictObject({ resources: z.array(z.unknown()).max(5_000) });

export function packageRoutes(cc: Cc): Route[] {
  const { store, blobs, known_files } = cc;
  const read = (call: Call, need: 'see' | 'develop' = 'see'): { row: Package; app: App } => {
    const row = found(store.package.get(call.params['guid'] ?? ''), 'Package');
    const app = found(store.app.get(row.app_guid), 'Package');
    if (need === 'see') call.access.space(app.space_guid, 'Package');
    else call.access.toDevelop(app.space_guid, 'Package');
    return { row, app };
  };
  const filters = {
    types: by<Package>((row) => row.type),
    states: by<Package>((row) => row.state),
    app_guids: by<Package>((row) => row.app_guid),
    space_guids: by<Package>((row) => store.app.get(row.app_guid)?.space_guid),
    organization_guids: by<Package>((row) => store.space.get(store.app.get(row.app_guid)?.space_guid ?? '')?.org_guid),
  };
  const listOf = (call: Call, rows: readonly Package[]): object =>
    list(call, rows, { filters, present: (row) => presentPackage(cc, row) });

  return [
    get('/v3/packages', (call) =>
      listOf(
        call,
        store.package.filter((one) => call.access.seesSpace(store.app.get(one.app_guid)?.space_guid ?? '')),
      ),
    ),
    get('/v3/apps/:guid/packages', (call) => {
      const app = appOf(cc, call);
      return listOf(
        call,
        store.package.filter((one) => one.app_guid === app.guid),
      );
    }),
    post('/v3/packages', (call) => {
      const source = call.query.get('source_guid');
      if (source !== undefined) return copyPackage(cc, call, source);
      const { type, data = {}, relationships, metadata } = call.parse(createSchema);
      const app = appForBits(cc, call, relationships.app.data.guid);
      if (type === 'bits' && app.lifecycle.type === 'docker')
        throw invalid('Cannot create bits package for a Docker app.');
      if (type === 'docker' && app.lifecycle.type !== 'docker')
        throw invalid('Cannot create Docker package for a buildpack app.');
      const { image } = data;
      if (type === 'docker' && image === undefined) throw invalid('Image required');
      const row = store.change((tx) => {
        const made = tx.insert('package', {
          ...{ app_guid: app.guid, type, state: type === 'docker' ? 'READY' : 'AWAITING_UPLOAD', error: null },
          ...{ sha256: null, bytes: null },
          docker:
            image === undefined ? null : { image, username: data.username ?? null, password: data.password ?? null },
          metadata: mergeMetadata(noMetadata(), metadata),
        });
        recordApp(cc, tx, call.caller, 'audit.app.package.create', app, { package_guid: made.guid });
        return made;
      });
      return created(presentPackage(cc, row));
    }),
    get('/v3/packages/:guid', (call) => presentPackage(cc, read(call).row)),
    patch('/v3/packages/:guid', (call) => {
      const { row } = read(call, 'develop');
      const { metadata } = call.parse(z.strictObject({ metadata: metadataSchema.optional() }));
      return presentPackage(
        cc,
        store.change((tx) => tx.update('package', row.guid, { metadata: mergeMetadata(row.metadata, metadata) })),
      );
    }),
    del('/v3/packages/:guid', (call) => {
      const { row } = read(call, 'develop');
      return jobReply(cc, cc.jobs.enqueue('package.delete', row.guid));
    }),
    post('/v3/packages/:guid/upload', (call) => uploadPackage(cc, call, read(call, 'develop')), { raw: true }),
    get('/v3/packages/:guid/download', async (call) => {
      const { row, app } = read(call);
      call.access.toReadSecrets(app.space_guid, 'Package');
      if (row.type !== 'bits') throw invalid('Unable to download a package of this type.');
      if (row.state !== 'READY') throw invalid('Package has no bits to download.');
      return sendBlob(blobs, row.sha256, 'Package', `package-${row.guid}.zip`);
    }),
    get('/v3/packages/:guid/droplets', (call) => {
      const { row } = read(call);
      return list(
        call,
        store.droplet.filter((one) => one.package_guid === row.guid),
        {
          filters: { states: by((one) => one.state) },
          present: (one) => presentDroplet(cc, one, true),
        },
      );
    }),
    post('/v3/resource_matches', async (call) => {
      const { resources } = call.parse(matchSchema);
      const matched: unknown[] = [];
      for (const one of resources) {
        const parsed = resourceSchema.safeParse(one);
        if (!parsed.success) throw invalid('array contains at least one resource that is malformed');
        const { sha1: sum, bytes } = parsed.data;
        if (bytes >= MATCHED_BYTES.least && (await known_files.has(sum, bytes))) matched.push(one);
      }
      return created({ resources: matched });
    }),
  ];
}

export function packageJobs({ store, jobs }: Cc): void {
  // An upload that the last end cut off is gone: the bits may be sent again.
  store.change((tx) => {
    for (const { guid } of store.package.filter(({ state }) => state === 'PROCESSING_UPLOAD')) {
      tx.update('package', guid, { state: 'AWAITING_UPLOAD' });
    }
  });
  jobs.define('package.delete', async ({ resource_guid }) => store.change((tx) => tx.remove('package', resource_guid)));
}

function appForBits(cc: Cc, call: Call, guid: string): App {
  const app = cc.store.app.get(guid);
  if (!app || !call.access.seesSpace(app.space_guid)) {
    throw invalid('App is invalid. Ensure it exists and you have access to it.');
  }
  call.access.toDevelop(app.space_guid, 'App');
  return app;
}

/** `cf copy-source`: the same bits for another app. */
function copyPackage(cc: Cc, call: Call, source_guid: string): object {
  const { store } = cc;
  const source = store.package.get(source_guid);
  const from = source && store.app.get(source.app_guid);
  if (!source || !from || !call.access.seesSpace(from.space_guid)) {
    throw invalid('Source package not found');
  }
  call.access.toDevelop(from.space_guid, 'Package');
  const { relationships } = call.parse(z.strictObject({ relationships: z.strictObject({ app: guidRef }) }));
  const app = appForBits(cc, call, relationships.app.data.guid);
  if (source.state !== 'READY') throw invalid('Source package is not ready');
  const row = store.change((tx) => {
    const made = tx.insert('package', {
      ...{ app_guid: app.guid, type: source.type, state: 'READY', error: null },
      ...{ sha256: source.sha256, bytes: source.bytes, docker: source.docker, metadata: noMetadata() },
    });
    recordApp(cc, tx, call.caller, 'audit.app.package.create', app, { package_guid: made.guid, source_guid });
    return made;
  });
  return created(presentPackage(cc, row));
}
