import { z } from 'zod';
import { cfError, invalid } from '../errors.js';
import { created, del, found, get, jobReply, patch, post, type Route } from '../http.js';
import { by, list } from '../list.js';
import { mergeMetadata, metadataSchema } from '../metadata.js';
import { noMetadata, type Stack } from '../model.js';
import { resource } from '../present.js';
import type { Cc } from '../cc.js';

const createSchema = z.strictObject({
  name: z.string().min(1).max(250),
  description: z.string().max(250).nullish(),
  metadata: metadataSchema.optional(),
});
const updateSchema = z.strictObject({ metadata: metadataSchema.optional() });

/** Stacks come from what cells offer (localcf/stacks.ts); an operator may add more. */
export function stackRoutes(cc: Cc): Route[] {
  const { store } = cc;
  const present = (row: Stack): object => ({
    ...resource(cc, row, `/v3/stacks/${row.guid}`),
    name: row.name,
    description: row.description,
    state: row.state,
    state_reason: row.state_reason,
    default: row.is_default,
    build_rootfs_image: row.build_rootfs,
    run_rootfs_image: row.run_rootfs,
    metadata: row.metadata,
  });
  const one = (guid = ''): Stack => found(store.stack.get(guid), 'Stack');

  return [
    get('/v3/stacks', (call) =>
      list(call, store.stack.all(), {
        filters: { names: by(({ name }) => name), default: by(({ is_default }) => String(is_default)) },
        order: { name: ({ name }) => name },
        present,
      }),
    ),
    get('/v3/stacks/:guid', ({ params }) => present(one(params['guid']))),
    post('/v3/stacks', (call) => {
      call.access.toAdmin();
      const { name, description = null, metadata } = call.parse(createSchema);
      if (store.stack.find((stack) => stack.name === name)) throw invalid('Name must be unique');
      const row = store.change((tx) =>
        tx.insert('stack', {
          ...{ name, description, is_default: false, build_rootfs: name, run_rootfs: name },
          ...{ state: 'ACTIVE', state_reason: null, metadata: mergeMetadata(noMetadata(), metadata) },
        }),
      );
      return created(present(row));
    }),
    patch('/v3/stacks/:guid', (call) => {
      call.access.toAdmin();
      const row = one(call.params['guid']);
      const { metadata } = call.parse(updateSchema);
      const patched = { metadata: mergeMetadata(row.metadata, metadata) };
      return present(store.change((tx) => tx.update('stack', row.guid, patched)));
    }),
    del('/v3/stacks/:guid', (call) => {
      call.access.toAdmin();
      const row = one(call.params['guid']);
      const isUsed = store.app.find(({ lifecycle: { data } }) => 'stack' in data && data.stack === row.name);
      if (isUsed)
        throw cfError(
          'UnprocessableEntity',
          `Cannot delete stack '${row.name}' because apps are currently using the stack.`,
        );
      return jobReply(cc, cc.jobs.enqueue('stack.delete', row.guid));
    }),
  ];
}

export function stackJobs({ jobs, store }: Cc): void {
  jobs.define('stack.delete', async ({ resource_guid }) => store.change((tx) => tx.remove('stack', resource_guid)));
}
