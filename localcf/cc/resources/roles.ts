import { z } from 'zod';
import type { Access } from '../access.js';
import type { Cc } from '../cc.js';
import { cfError, invalid } from '../errors.js';
import { audit } from '../events.js';
import { created, del, found, get, jobReply, post, type Route } from '../http.js';
import { by, included, list } from '../list.js';
import { ORG_ROLES, SPACE_ROLES, type OrgRole, type Role, type SpaceRole, type User } from '../model.js';
import { resource, toOne } from '../present.js';
import { presentOrg } from './orgs.js';
import { presentSpace } from './spaces.js';
import { ccUser, presentCcUser } from './users.js';

const toOneSchema = z.strictObject({ data: z.strictObject({ guid: z.string() }) });
const createSchema = z.strictObject({
  type: z.enum([...ORG_ROLES, ...SPACE_ROLES]),
  relationships: z.strictObject({
    user: z.strictObject({
      data: z.union([
        z.strictObject({ guid: z.string() }),
        z.strictObject({ username: z.string(), origin: z.string().optional() }),
      ]),
    }),
    organization: toOneSchema.optional(),
    space: toOneSchema.optional(),
  }),
});

const isOrgRole = (type: string): type is OrgRole => (ORG_ROLES as readonly string[]).includes(type);

export function roleRoutes(cc: Cc): Route[] {
  const { store } = cc;
  const present = (row: Role): object => ({
    ...resource(cc, row, `/v3/roles/${row.guid}`, {
      user: `/v3/users/${row.user_guid}`,
      ...(row.org_guid !== null && { organization: `/v3/organizations/${row.org_guid}` }),
      ...(row.space_guid !== null && { space: `/v3/spaces/${row.space_guid}` }),
    }),
    type: row.type,
    relationships: {
      user: toOne(row.user_guid),
      organization: toOne(row.org_guid),
      space: toOne(row.space_guid),
    },
  });
  const sees = (access: Access, row: Role): boolean =>
    row.org_guid !== null ? access.seesOrg(row.org_guid) : access.seesSpace(row.space_guid ?? '');
  const unique = <T>(values: readonly (T | null)[]): T[] => [
    ...new Set(values.filter((one): one is T => one !== null)),
  ];
  const include = {
    user: (rows: readonly Role[]) => ({
      users: unique(rows.map(({ user_guid }) => user_guid)).flatMap((guid) => {
        const user = store.user.get(guid);
        return user ? [presentCcUser(cc, user)] : [];
      }),
    }),
    organization: (rows: readonly Role[]) => ({
      organizations: unique(rows.map(({ org_guid }) => org_guid)).flatMap((guid) => {
        const org = store.org.get(guid);
        return org ? [presentOrg(cc, org)] : [];
      }),
    }),
    space: (rows: readonly Role[]) => ({
      spaces: unique(rows.map(({ space_guid }) => space_guid)).flatMap((guid) => {
        const space = store.space.get(guid);
        return space ? [presentSpace(cc, space)] : [];
      }),
    }),
  };

  /** The place of a role, where the caller may give it. */
  function placeOf(
    access: Access,
    type: OrgRole | SpaceRole,
    org?: string,
    space?: string,
  ): { org: string; space: string | null } {
    if (isOrgRole(type)) {
      if (org === undefined || space !== undefined) throw invalid('Organization must be given for this role');
      return { org: access.toManageOrg(org).guid, space: null };
    }
    if (space === undefined || org !== undefined) throw invalid('Space must be given for this role');
    const row = access.toManageSpace(space);
    return { org: row.org_guid, space: row.guid };
  }

  return [
    get('/v3/roles', (call) =>
      list(
        call,
        store.role.filter((row) => sees(call.access, row)),
        {
          filters: {
            types: by(({ type }) => type),
            user_guids: by(({ user_guid }) => user_guid),
            space_guids: by(({ space_guid }) => space_guid),
            organization_guids: by(({ org_guid }) => org_guid),
          },
          ...{ include, present },
        },
      ),
    ),
    post('/v3/roles', (call) => {
      const { type, relationships } = call.parse(createSchema);
      const { user: who, organization, space } = relationships;
      const place = placeOf(call.access, type, organization?.data.guid, space?.data.guid);
      const user = userOf(cc, who.data);
      const name = user.username ?? user.guid;
      const mine = store.role.filter(({ user_guid }) => user_guid === user.guid);
      if (place.space !== null && !mine.some(({ org_guid }) => org_guid === place.org))
        throw invalid(
          `Users cannot be assigned roles in a space if they do not have a role in that space's organization.`,
        );
      const where =
        place.space === null ? { org_guid: place.org, space_guid: null } : { org_guid: null, space_guid: place.space };
      const has = mine.some(
        (row) => row.type === type && row.org_guid === where.org_guid && row.space_guid === where.space_guid,
      );
      if (has) {
        const at =
          place.space === null
            ? `organization '${store.org.get(place.org)?.name ?? ''}'`
            : `space '${store.space.get(place.space)?.name ?? ''}'`;
        throw invalid(`User '${name}' already has '${type}' role in ${at}.`);
      }
      const row = store.change((tx) => {
        const made = tx.insert('role', { type, user_guid: user.guid, ...where });
        if (!user.in_cc) tx.update('user', user.guid, { in_cc: true });
        const target = { guid: user.guid, type: 'user', name };
        audit(tx, store, call.caller, `audit.user.${type}_add`, target, {
          space_guid: place.space,
          org_guid: place.org,
        });
        return made;
      });
      return created(present(row));
    }),
    get('/v3/roles/:guid', (call) => {
      const row = store.role.get(call.params['guid'] ?? '');
      const role = found(row && sees(call.access, row) ? row : undefined, 'Role');
      return { ...present(role), ...included(call.query, [role], { include }) };
    }),
    del('/v3/roles/:guid', (call) => {
      const row = store.role.get(call.params['guid'] ?? '');
      const role = found(row && sees(call.access, row) ? row : undefined, 'Role');
      if (role.org_guid !== null) call.access.toManageOrg(role.org_guid);
      else call.access.toManageSpace(role.space_guid ?? '');
      const inOrg = (guid: string | null): boolean => store.space.get(guid ?? '')?.org_guid === role.org_guid;
      const rest = store.role.filter(({ user_guid }) => user_guid === role.user_guid);
      if (role.type === 'organization_user' && rest.some(({ space_guid }) => inOrg(space_guid)))
        throw cfError(
          'UnprocessableEntity',
          'Cannot delete organization_user role while user has roles in spaces in that organization.',
        );
      const user = store.user.get(role.user_guid);
      store.change((tx) =>
        audit(
          ...([tx, store, call.caller, `audit.user.${role.type}_remove`] as const),
          { guid: role.user_guid, type: 'user', name: user?.username ?? '' },
          { space_guid: role.space_guid, ...(role.org_guid !== null && { org_guid: role.org_guid }) },
        ),
      );
      return jobReply(cc, cc.jobs.enqueue('role.delete', role.guid));
    }),
  ];
}

function userOf(cc: Cc, who: { guid: string } | { username: string; origin?: string | undefined }): User {
  if ('guid' in who) {
    const user = ccUser(cc.store, who.guid);
    if (!user) throw invalid('Invalid user. Ensure that the user exists and you have access to it.');
    return user;
  }
  const { username, origin } = who;
  const users = cc.store.user.filter(
    (row) => row.username?.toLowerCase() === username.toLowerCase() && (origin === undefined || row.origin === origin),
  );
  const [user, other] = users;
  if (!user)
    throw invalid(
      origin === undefined
        ? `No user exists with the username '${username}'.`
        : `No user exists with the username '${username}' and origin '${origin}'.`,
    );
  if (other)
    throw invalid(
      `User with username '${username}' exists in the following origins: ${users.map((row) => row.origin ?? '').join(', ')}. Specify an origin to disambiguate.`,
    );
  return user;
}

export function roleJobs({ jobs, store }: Cc): void {
  jobs.define('role.delete', async ({ resource_guid }) => store.change((tx) => tx.remove('role', resource_guid)));
}
