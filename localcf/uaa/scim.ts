/** `/Users`, as far as `cf create-user`, `delete-user`, `passwd` and role commands need it. */
import { z } from 'zod';
import { noMetadata, type User } from '../cc/model.js';
import type { Store } from '../cc/store.js';
import { badRequest, UaaError } from './errors.js';
import { hashPassword, passwordFits } from './passwords.js';

export const userSchema = z.object({
  userName: z.string().min(1),
  password: z.string().optional(),
  origin: z.string().optional(),
  name: z.object({ givenName: z.string().optional(), familyName: z.string().optional() }).optional(),
  emails: z.array(z.object({ value: z.string() })).optional(),
  active: z.boolean().optional(),
});
export const passwordSchema = z.object({ oldPassword: z.string().optional(), password: z.string() });

export function presentUser(user: User): object {
  const { guid, username, origin, email, given_name, family_name, active, created_at, updated_at, groups } = user;
  return {
    id: guid,
    meta: { version: 0, created: created_at, lastModified: updated_at },
    userName: username,
    origin,
    name: { givenName: given_name, familyName: family_name },
    emails: email === null ? [] : [{ value: email, primary: true }],
    groups: groups.map((display) => ({ value: display, display, type: 'DIRECT' })),
    active,
    verified: true,
    zoneId: 'uaa',
    schemas: ['urn:scim:schemas:core:1.0'],
  };
}

const ATTRIBUTES: Record<string, (user: User) => string> = {
  username: ({ username }) => username ?? '',
  id: ({ guid }) => guid,
  origin: ({ origin }) => origin ?? '',
  email: ({ email }) => email ?? '',
  'emails.value': ({ email }) => email ?? '',
};

/** `userName eq "x" and origin eq "uaa"`, also with `or`; letters of either case are the same. */
export function userFilter(text: string): (user: User) => boolean {
  const anyOf = text.split(/\s+or\s+(?=[^"]*(?:"[^"]*"[^"]*)*$)/i).map((part) =>
    part.split(/\s+and\s+(?=[^"]*(?:"[^"]*"[^"]*)*$)/i).map((term) => {
      const [, name = '', json = ''] = /^\s*\(?\s*([\w.]+)\s+eq\s+("(?:[^"\\]|\\.)*")\s*\)?\s*$/i.exec(term) ?? [];
      const read = ATTRIBUTES[name.toLowerCase()];
      if (!read) throw new UaaError(400, 'scim', `Invalid filter expression: [${text}]`);
      const value = (JSON.parse(json) as string).toLowerCase();
      return (user: User): boolean => read(user).toLowerCase() === value;
    }),
  );
  return (user) => anyOf.some((allOf) => allOf.every((fits) => fits(user)));
}

export async function createUser(store: Store, body: z.output<typeof userSchema>): Promise<User> {
  const { userName, password, name, emails, active = true } = body;
  // The cf command sends an empty one for users of its own UAA.
  const origin = body.origin || 'uaa';
  if (origin === 'uaa' && (password === undefined || password === ''))
    throw badRequest('A password is needed for users of origin uaa');
  const password_hash = password === undefined ? null : await hashPassword(password);
  const taken = store.user.find(
    (row) => row.username?.toLowerCase() === userName.toLowerCase() && row.origin === origin,
  );
  if (taken) throw new UaaError(409, 'scim_resource_already_exists', `Username already in use: ${userName}`);
  return store.change((tx) =>
    tx.insert('user', {
      ...{ username: userName, origin, active, password_hash, groups: [], in_cc: false, metadata: noMetadata() },
      email: emails?.[0]?.value ?? userName,
      given_name: name?.givenName ?? null,
      family_name: name?.familyName ?? null,
    }),
  );
}

/** By the user: the old one must fit. By an administrator: without it. */
export async function changePassword(
  store: Store,
  user: User,
  { oldPassword, password }: z.output<typeof passwordSchema>,
  byAdmin: boolean,
): Promise<void> {
  if (!byAdmin && !(await passwordFits(oldPassword ?? '', user.password_hash)))
    throw new UaaError(401, 'unauthorized', 'Old password is incorrect');
  if (password === '') throw new UaaError(422, 'invalid_password', 'Password must be at least 1 characters in length.');
  if (password === oldPassword)
    throw new UaaError(422, 'invalid_password', 'Your new password cannot be the same as the old password.');
  const password_hash = await hashPassword(password);
  store.change((tx) => tx.update('user', user.guid, { password_hash }));
}

export function deleteUser(store: Store, { guid }: User): void {
  store.change((tx) => {
    for (const role of store.role.filter(({ user_guid }) => user_guid === guid)) tx.remove('role', role.guid);
    tx.remove('user', guid);
  });
}
