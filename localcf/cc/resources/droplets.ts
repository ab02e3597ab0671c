import { z } from 'zod';
import { recordApp } from '../actions/apps.js';
import { checkDroplet, DROPLET_LIMITS } from '../bits/droplet.js';
import { readForm } from '../bits/multipart.js';
import { sendBlob } from '../bits/download.js';
import type { Cc } from '../cc.js';
import { cfError, invalid } from '../errors.js';
import { UnikError } from '../../../core/errors.js';
import { created, custom, del, found, get, jobReply, patch, post, type Call, type Route } from '../http.js';
import { by, list } from '../list.js';
import { mergeMetadata, metadataSchema } from '../metadata.js';
import { noMetadata, type App, type Droplet } from '../model.js';
import { appOf } from './apps.js';
import { presentDroplet } from './present-apps.js';
import { guidRef } from './shapes.js';

const createSchema = z.strictObject({
  relationships: z.strictObject({ app: guidRef }),
  process_types: z.record(z.string(), z.string()).optional(),
});

export function dropletRoutes(cc: Cc): Route[] {
  const { store, blobs, config } = cc;
  const read = (call: Call, need: 'see' | 'develop' = 'see'): { row: Droplet; app: App } => {
    const row = found(store.droplet.get(call.params['guid'] ?? ''), 'Droplet');
    const app = found(store.app.get(row.app_guid), 'Droplet');
    if (need === 'see') call.access.space(app.space_guid, 'Droplet');
    else call.access.toDevelop(app.space_guid, 'Droplet');
    return { row, app };
  };
  const listOf = (call: Call, rows: readonly Droplet[]): object =>
    list(call, rows, {
      filters: {
        states: by((row) => row.state),
        app_guids: by((row) => row.app_guid),
        space_guids: by((row) => store.app.get(row.app_guid)?.space_guid),
        organization_guids: by((row) => store.space.get(store.app.get(row.app_guid)?.space_guid ?? '')?.org_guid),
        current: (row, values) => values.includes('true') === (store.app.get(row.app_guid)?.droplet_guid === row.guid),
      },
      present: (row) => presentDroplet(cc, row, true),
    });
  const target = (call: Call, guid: string): App => {
    const app = store.app.get(guid);
    if (!app || !call.access.seesSpace(app.space_guid))
      throw invalid(`App with guid "${guid}" does not exist, or you do not have access to it.`);
    call.access.toDevelop(app.space_guid, 'App');
    return app;
  };
  const empty = (app: App): Omit<Droplet, 'guid' | 'seq' | 'created_at' | 'updated_at'> => ({
    ...{ app_guid: app.guid, package_guid: null, build_guid: null, state: 'AWAITING_UPLOAD', error: null },
    ...{
      lifecycle: app.lifecycle,
      stack: app.lifecycle.type === 'docker' ? null : app.lifecycle.data.stack,
      image: null,
    },
    ...{ execution_metadata: '', process_types: {}, sidecars: [], buildpacks: [], sha256: null, bytes: null },
    metadata: noMetadata(),
  });

  return [
    get('/v3/droplets', (call) =>
      listOf(
        call,
        store.droplet.filter((one) => call.access.seesSpace(store.app.get(one.app_guid)?.space_guid ?? '')),
      ),
    ),
    get('/v3/apps/:guid/droplets', (call) => {
      const app = appOf(cc, call);
      return listOf(
        call,
        store.droplet.filter((one) => one.app_guid === app.guid),
      );
    }),
    post('/v3/droplets', (call) => {
      const source_guid = call.query.get('source_guid');
      const { relationships, process_types } = call.parse(createSchema);
      const app = target(call, relationships.app.data.guid);
      const row = store.change((tx) => {
        const made = tx.insert('droplet', {
          ...empty(app),
          ...(source_guid === undefined ? { process_types: process_types ?? {} } : copied(cc, call, source_guid)),
        });
        recordApp(cc, tx, call.caller, 'audit.app.droplet.create', app, { droplet_guid: made.guid });
        return made;
      });
      return created(presentDroplet(cc, row));
    }),
    get('/v3/droplets/:guid', (call) => presentDroplet(cc, read(call).row)),
    patch('/v3/droplets/:guid', (call) => {
      const { row } = read(call, 'develop');
      const { metadata } = call.parse(z.looseObject({ metadata: metadataSchema.optional() }));
      return presentDroplet(
        cc,
        store.change((tx) => tx.update('droplet', row.guid, { metadata: mergeMetadata(row.metadata, metadata) })),
      );
    }),
    del('/v3/droplets/:guid', (call) => {
      const { row } = read(call, 'develop');
      if (store.app.get(row.app_guid)?.droplet_guid === row.guid)
        throw invalid('The droplet is assigned to the app: assign another one first.');
      return jobReply(cc, cc.jobs.enqueue('droplet.delete', row.guid));
    }),
    post(
      '/v3/droplets/:guid/upload',
      async (call) => {
        const { row, app } = read(call, 'develop');
        if (row.state !== 'AWAITING_UPLOAD')
          throw invalid('Droplet may be uploaded only once. Create a new droplet to upload bits.');
        const scratch = await blobs.scratch();
        try {
          const max_bytes = config.limits.droplet_bytes;
          const form = await readForm(call.request, { folder: scratch.path, max_bytes, signal: call.signal });
          const path = form.files.get('bits')?.path;
          if (path === undefined) throw invalid('A droplet tgz file must be uploaded as bits');
          await checkDroplet(path, DROPLET_LIMITS, call.signal).catch((err: unknown) => {
            throw err instanceof UnikError && err.code === 'archive_invalid'
              ? invalid(`Uploaded droplet file is invalid: ${err.message}`)
              : err;
          });
          const blob = await blobs.adopt(path);
          try {
            if (store.droplet.get(row.guid)?.state !== 'AWAITING_UPLOAD') throw cfError('PackageBitsAlreadyUploaded');
            const updated = store.change((tx) => {
              recordApp(cc, tx, call.caller, 'audit.app.droplet.upload', app, { droplet_guid: row.guid });
              return tx.update('droplet', row.guid, { state: 'STAGED', sha256: blob.sha256, bytes: blob.bytes });
            });
            const job = cc.jobs.enqueue('droplet.upload', row.guid);
            await cc.jobs.ended(job, 1_000);
            return custom({
              status: 202,
              body: presentDroplet(cc, updated),
              headers: { location: `${config.api_url}/v3/jobs/${job}` },
            });
          } finally {
            blob.release();
          }
        } finally {
          await scratch.remove();
        }
      },
      { raw: true },
    ),
    get('/v3/droplets/:guid/download', async (call) => {
      const { row, app } = read(call);
      call.access.toReadSecrets(app.space_guid, 'Droplet');
      if (row.state !== 'STAGED') throw invalid('Only staged droplets can be downloaded.');
      return sendBlob(blobs, row.sha256, 'Droplet', `droplet_${row.sha256 ?? ''}.tgz`);
    }),
  ];
}

function copied({ store }: Cc, call: Call, source_guid: string): Partial<Droplet> {
  const source = store.droplet.get(source_guid);
  const from = source && store.app.get(source.app_guid);
  if (!source || !from || !call.access.seesSpace(from.space_guid)) throw invalid('Source droplet not found');
  call.access.toDevelop(from.space_guid, 'Droplet');
  if (source.state !== 'STAGED') throw invalid('Source droplet is not staged');
  const { state, lifecycle, stack, image, execution_metadata, process_types, sidecars, buildpacks, sha256, bytes } =
    source;
  return { state, lifecycle, stack, image, execution_metadata, process_types, sidecars, buildpacks, sha256, bytes };
}

export function dropletJobs({ store, jobs }: Cc): void {
  jobs.define('droplet.delete', async ({ resource_guid }) => store.change((tx) => tx.remove('droplet', resource_guid)));
  // The bits are taken within the request; clients of the API want a job to wait for.
  jobs.define('droplet.upload', async () => undefined);
}
