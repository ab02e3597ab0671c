import { z } from 'zod';
import { recordApp } from '../actions/apps.js';
import { MATCHED_BYTES } from '../bits/resources.js';
import { readForm } from '../bits/multipart.js';
import { makePackage, PACKAGE_LIMITS, type KnownFile } from '../bits/package.js';
import { sendBlob } from '../bits/download.js';
import type { Cc } from '../cc.js';
import { cfError, CfError, invalid } from '../errors.js';
import { UnikError } from '../../../core/errors.js';
import { created, del, found, get, jobReply, patch, post, type Call, type Route } from '../http.js';
import { by, list } from '../list.js';
import { mergeMetadata, metadataSchema } from '../metadata.js';
import { noMetadata, type App, type Package } from '../model.js';
import { appOf } from './apps.js';
import { needFlag } from './feature-flags.js';
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

const sha1 = z.string().regex(/^[0-9a-f]{40}$/i);
/** As `cf push` sends them: in v3's words when it asks, in either's when it uploads. */
const resourceSchema = z.union([
  z
    .looseObject({
      path: z.string().optional(),
      mode: z.string().optional(),
      checksum: z.looseObject({ value: sha1 }),
      size_in_bytes: z.int().min(0),
    })
    .transform(({ path, mode, checksum, size_in_bytes }) => ({
      path,
      mode,
      sha1: checksum.value.toLowerCase(),
      bytes: size_in_bytes,
    })),
  z
    .looseObject({ fn: z.string(), mode: z.string().optional(), sha1, size: z.int().min(0) })
    .transform((one) => ({ path: one.fn, mode: one.mode, sha1: one.sha1.toLowerCase(), bytes: one.size })),
]);
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

async function uploadPackage(cc: Cc, call: Call, { row, app }: { row: Package; app: App }): Promise<object> {
  const { store, blobs, known_files, config } = cc;
  needFlag(store, 'app_bits_upload', call.access.admin);
  if (row.type !== 'bits') throw invalid('Package type must be bits.');
  if (row.state !== 'AWAITING_UPLOAD') throw cfError('PackageBitsAlreadyUploaded');
  const scratch = await blobs.scratch();
  try {
    const limits = { ...PACKAGE_LIMITS, max_bytes: config.limits.package_bytes };
    const form = await readForm(call.request, {
      folder: scratch.path,
      max_bytes: limits.max_bytes,
      signal: call.signal,
    });
    const known = knownFiles(form.fields.get('resources'));
    const sent = form.files.get('bits')?.path;
    if (sent === undefined && known.length === 0) throw invalid('Upload must include either resources or bits');
    // Two uploads at once: the second sees the first.
    if (store.package.get(row.guid)?.state !== 'AWAITING_UPLOAD') throw cfError('PackageBitsAlreadyUploaded');
    store.change((tx) => tx.update('package', row.guid, { state: 'PROCESSING_UPLOAD' }));
    try {
      const blob = await makePackage(sent, known, { blobs, resources: known_files, limits, signal: call.signal });
      try {
        const updated = store.change((tx) => {
          recordApp(cc, tx, call.caller, 'audit.app.package.upload', app, { package_guid: row.guid });
          return tx.update('package', row.guid, { state: 'READY', sha256: blob.sha256, bytes: blob.bytes });
        });
        return presentPackage(cc, updated);
      } finally {
        blob.release();
      }
    } catch (err) {
      // The client has gone, or we are ending: it may send them again.
      if (call.signal.aborted) {
        store.change((tx) => tx.update('package', row.guid, { state: 'AWAITING_UPLOAD' }));
        throw err;
      }
      const error = refusal(err);
      store.change((tx) => tx.update('package', row.guid, { state: 'FAILED', error: error.message }));
      throw error;
    }
  } finally {
    await scratch.remove();
  }
}

function refusal(err: unknown): CfError {
  if (err instanceof CfError) return err;
  if (err instanceof UnikError && (err.code === 'archive_invalid' || err.code === 'archive_too_large'))
    return cfError('AppBitsUploadInvalid', err.message);
  throw err;
}

function knownFiles(text: string | undefined): KnownFile[] {
  if (text === undefined || text === '') return [];
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw cfError('AppBitsUploadInvalid', 'resources is no JSON');
  }
  const parsed = z.array(resourceSchema).max(200_000).safeParse(value);
  if (!parsed.success) throw cfError('AppBitsUploadInvalid', 'resources is no list of path, mode, checksum and size');
  return parsed.data.map(({ path, mode, sha1: sum, bytes }) => ({
    ...{ path: path ?? '', sha1: sum, bytes },
    mode: Number.parseInt(mode ?? '644', 8) || 0o644,
  }));
}
