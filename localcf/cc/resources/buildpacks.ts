import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import type { Cc } from '../cc.js';
import { cfError, invalid } from '../errors.js';
import { accepted, created, custom, del, found, get, jobReply, patch, post, type Call, type Route } from '../http.js';
import { by, list } from '../list.js';
import { mergeMetadata, metadataSchema } from '../metadata.js';
import { noMetadata, type Buildpack } from '../model.js';
import { resource } from '../present.js';
import { moveBuildpack, removeBuildpack } from '../buildpacks.js';
import { receiveBuildpack } from '../buildpack-upload.js';

const editable = {
  stack: z.string().min(1).nullish(),
  position: z.int().min(1).optional(),
  enabled: z.boolean().optional(),
  locked: z.boolean().optional(),
  metadata: metadataSchema.optional(),
};
const createSchema = z.strictObject({
  name: z
    .string()
    .min(1)
    .max(250)
    .regex(/^[-\w]+$/, 'Name can only contain alphanumeric characters'),
  lifecycle: z.enum(['buildpack', 'cnb']).optional(),
  ...editable,
});
const updateSchema = createSchema.omit({ lifecycle: true }).partial();

export const presentBuildpack = (cc: Cc, row: Buildpack): object => ({
  ...resource(cc, row, `/v3/buildpacks/${row.guid}`),
  links: {
    self: { href: `${cc.config.api_url}/v3/buildpacks/${row.guid}` },
    upload: { href: `${cc.config.api_url}/v3/buildpacks/${row.guid}/upload`, method: 'POST' },
  },
  name: row.name,
  stack: row.stack,
  state: row.state,
  filename: row.filename,
  position: row.position,
  enabled: row.enabled,
  locked: row.locked,
  lifecycle: row.lifecycle,
  metadata: row.metadata,
});

export function buildpackRoutes(cc: Cc): Route[] {
  const { store, jobs, blobs } = cc;
  const present = (row: Buildpack): object => presentBuildpack(cc, row);
  const one = (call: Call): Buildpack => found(store.buildpack.get(call.params['guid'] ?? ''), 'Buildpack');
  const check = (name: string, stack: string | null, own?: string): void => {
    if (stack !== null && !store.stack.find((row) => row.name === stack))
      throw invalid(`Stack '${stack}' does not exist`);
    if (store.buildpack.find((row) => row.name === name && row.stack === stack && row.guid !== own))
      throw invalid(
        stack === null
          ? `Buildpack with name '${name}' and an unassigned stack already exists`
          : `Buildpack with name '${name}' and stack '${stack}' already exists`,
      );
  };

  return [
    get('/v3/buildpacks', (call) =>
      list(call, store.buildpack.all(), {
        filters: {
          names: by(({ name }) => name),
          stacks: by(({ stack }) => stack),
          lifecycle: by(({ lifecycle }) => lifecycle),
        },
        order: { position: ({ position }) => position },
        default_order: 'position',
        present,
      }),
    ),
    post('/v3/buildpacks', (call) => {
      call.access.toAdmin();
      const body = call.parse(createSchema);
      const { name, stack = null, enabled = true, locked = false, lifecycle = 'buildpack', metadata } = body;
      check(name, stack);
      const row = store.change((tx) => {
        const last = store.buildpack.size + 1;
        const made = tx.insert('buildpack', {
          ...{ name, stack, enabled, locked, lifecycle, position: last, state: 'AWAITING_UPLOAD' },
          ...{ filename: null, sha256: null, bytes: null, metadata: mergeMetadata(noMetadata(), metadata) },
        });
        return moveBuildpack(tx, store, made, body.position ?? 1);
      });
      return created(present(row));
    }),
    get('/v3/buildpacks/:guid', (call) => present(one(call))),
    patch('/v3/buildpacks/:guid', (call) => {
      const row = one(call);
      call.access.toAdmin();
      const { name = row.name, stack = row.stack, position, metadata, ...rest } = call.parse(updateSchema);
      if (row.stack !== null && stack !== row.stack) throw invalid('Buildpack stack cannot be changed once assigned');
      check(name, stack, row.guid);
      const kept = store.change((tx) => {
        const changed = tx.update('buildpack', row.guid, {
          ...{ name, stack, metadata: mergeMetadata(row.metadata, metadata) },
          enabled: rest.enabled ?? row.enabled,
          locked: rest.locked ?? row.locked,
        });
        return position === undefined ? changed : moveBuildpack(tx, store, changed, position);
      });
      return present(kept);
    }),
    del('/v3/buildpacks/:guid', (call) => {
      const row = one(call);
      call.access.toAdmin();
      return jobReply(cc, jobs.enqueue('buildpack.delete', row.guid));
    }),
    post(
      '/v3/buildpacks/:guid/upload',
      async (call) => {
        const row = one(call);
        call.access.toAdmin();
        if (row.locked) throw cfError('BuildpackLocked');
        const { blob, filename } = await receiveBuildpack(call.request, {
          ...{ blobs, max_bytes: cc.config.limits.buildpack_bytes, signal: call.signal },
        });
        const job = store.change((tx) =>
          jobs.enqueue('buildpack.upload', row.guid, { sha256: blob.sha256, bytes: blob.bytes, filename }, tx),
        );
        // The job is begun at once, and a sweep looks at no job: the row must name it first.
        await jobs.ended(job, 10_000);
        blob.release();
        const reply = jobReply(cc, job);
        return { ...accepted(present(one(call))), ...(reply.headers && { headers: reply.headers }) };
      },
      { raw: true },
    ),
    get('/v3/buildpacks/:guid/download', async (call) => {
      const row = one(call);
      const path = row.sha256 === null ? undefined : await blobs.path(row.sha256);
      if (path === undefined) throw cfError('ResourceNotFound', 'Buildpack bits not found');
      return custom({
        status: 200,
        headers: { 'content-type': 'application/zip', 'content-length': String(row.bytes ?? 0) },
        send: (response) => pipeline(createReadStream(path), response),
      });
    }),
  ];
}

const uploadSchema = z.object({ sha256: z.string(), bytes: z.number(), filename: z.string() });

export function buildpackJobs({ jobs, store }: Cc): void {
  jobs.define('buildpack.upload', async ({ resource_guid, input }) => {
    const { sha256, bytes, filename } = uploadSchema.parse(input);
    store.change((tx) => {
      if (store.buildpack.get(resource_guid))
        tx.update('buildpack', resource_guid, { sha256, bytes, filename, state: 'READY' });
    });
  });
  jobs.define('buildpack.delete', async ({ resource_guid }) =>
    store.change((tx) => removeBuildpack(tx, store, resource_guid)),
  );
}
