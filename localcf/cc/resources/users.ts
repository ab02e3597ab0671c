/** Users as the CC knows them: the UAA's, and clients that have roles. */
import { z } from 'zod';
import { readsAll, type Access } from '../access.js';
import type { Cc } from '../cc.js';
import { cfError, invalid } from '../errors.js';
import { created, del, found, get, jobReply, patch, post, type Call, type Route } from '../http.js';
import { by, list } from '../list.js';
import { mergeMetadata, metadataSchema } from '../metadata.js';
import { noMetadata, type User } from '../model.js';
import { resource } from '../present.js';
import type { Store } from '../store.js';

const createSchema = z.union([
  z.strictObject({ guid: z.string().min(1), metadata: metadataSchema.optional() }),
  z.strictObject({ username: z.string().min(1), origin: z.string().min(1), metadata: metadataSchema.optional() }),
]);
const updateSchema = z.strictObject({ metadata: metadataSchema.optional() });

export const ccUser = (store: Store, guid: string): User | undefined => store.user.get(guid);

export const presentCcUser = (cc: Cc, row: User): object => ({
  ...resource(cc, row, `/v3/users/${row.guid}`),
  username: row.username,
  presentation_name: row.username ?? row.guid,
  origin: row.origin,
  metadata: row.metadata,
});

/** Who shares an organization with the caller. */
function sees(store: Store, access: Access, user: User): boolean {
  if (readsAll(access.caller) || user.guid === access.caller.guid) return true;
  return (
    store.role.find(
      ({ user_guid, org_guid, space_guid }) =>
        user_guid === user.guid && access.seesOrg(org_guid ?? store.space.get(space_guid ?? '')?.org_guid ?? ''),
    ) !== undefined
  );
}

export function userRoutes(cc: Cc): Route[] {
  const { store } = cc;
  const present = (row: User): object => presentCcUser(cc, row);
  const one = (call: Call): User => {
    const user = store.user.get(call.params['guid'] ?? '');
    return found(user && user.in_cc && sees(store, call.access, user) ? user : undefined, 'User');
  };

  return [
    get('/v3/users', (call) =>
      list(
        call,
        store.user.filter((user) => user.in_cc && sees(store, call.access, user)),
        {
          filters: {
            usernames: ({ username }, values) =>
              values.some((value) => value.toLowerCase() === username?.toLowerCase()),
            partial_usernames: ({ username }, values) =>
              values.some((value) => username?.toLowerCase().includes(value.toLowerCase()) === true),
            origins: by(({ origin }) => origin),
          },
          present,
        },
      ),
    ),
    post('/v3/users', (call) => {
      call.access.toAdmin();
      const body = call.parse(createSchema);
      const metadata = mergeMetadata(noMetadata(), body.metadata);
      const known =
        'guid' in body
          ? store.user.get(body.guid)
          : store.user.find((row) => row.username === body.username && row.origin === body.origin);
      if (known?.in_cc === true) throw invalid(`User with guid '${known.guid}' already exists.`);
      const row = store.change((tx) => {
        if (known) return tx.update('user', known.guid, { in_cc: true, metadata });
        return tx.insert('user', {
          ...('guid' in body ? { guid: body.guid, username: null, origin: null } : body),
          ...{ email: null, given_name: null, family_name: null, active: true, password_hash: null, groups: [] },
          ...{ in_cc: true, metadata },
        });
      });
      return created(present(row));
    }),
    get('/v3/users/:guid', (call) => present(one(call))),
    patch('/v3/users/:guid', (call) => {
      const user = one(call);
      call.access.toAdmin();
      const { metadata } = call.parse(updateSchema);
      const patched = { metadata: mergeMetadata(user.metadata, metadata) };
      return present(store.change((tx) => tx.update('user', user.guid, patched)));
    }),
    del('/v3/users/:guid', (call) => {
      const user = one(call);
      call.access.toAdmin();
      if (user.guid === call.caller.guid) throw cfError('UnprocessableEntity', 'A user cannot delete itself.');
      return jobReply(cc, cc.jobs.enqueue('user.delete', user.guid));
    }),
  ];
}

export function userJobs({ jobs, store }: Cc): void {
  /** The UAA's user stays: the CLI deletes it there by another call. */
  jobs.define('user.delete', async ({ resource_guid }) =>
    store.change((tx) => {
      for (const role of store.role.filter(({ user_guid }) => user_guid === resource_guid))
        tx.remove('role', role.guid);
      const user = store.user.get(resource_guid);
      if (user?.username === null) tx.remove('user', user.guid);
      else if (user) tx.update('user', user.guid, { in_cc: false });
    }),
  );
}
