/** What a UAA has at its first start: an administrator and an administrating client, their secrets in one file. */
import { chmod } from 'node:fs/promises';
import { z } from 'zod';
import { readJsonFile, writeJsonFile } from '../../core/json-file.js';
import { noMetadata } from '../cc/model.js';
import type { Store } from '../cc/store.js';
import { hashPassword, randomSecret } from './passwords.js';
import { ADMIN_SCOPES, USER_SCOPES, type Client } from './uaa.js';

const secretsSchema = z.object({
  username: z.string().min(1),
  password: z.string().min(1),
  client: z.object({ id: z.string().min(1), secret: z.string().min(1) }),
});
export type AdminSecrets = z.output<typeof secretsSchema>;

/** Reads the file, or makes it (mode 0600). */
export async function adminSecrets(file: string): Promise<AdminSecrets> {
  const kept = await readJsonFile(file);
  if (kept !== undefined) {
    await chmod(file, 0o600);
    return secretsSchema.parse(kept);
  }
  const made = { username: 'admin', password: randomSecret(), client: { id: 'unik-admin', secret: randomSecret(40) } };
  await writeJsonFile(file, made);
  return made;
}

/** The administrator exists with exactly this password only at the first start: later it is the user's to change. */
export async function seedAdmin(store: Store, { username, password }: AdminSecrets): Promise<void> {
  if (store.user.find((user) => user.username === username && user.origin === 'uaa')) return;
  const password_hash = await hashPassword(password);
  store.change((tx) =>
    tx.insert('user', {
      ...{ username, origin: 'uaa', email: username, given_name: null, family_name: null, active: true },
      ...{ password_hash, groups: [...ADMIN_SCOPES], in_cc: true, metadata: noMetadata() },
    }),
  );
  await store.settled();
}

/** `cf` is the CLI's, without a secret; `ssh-proxy` takes the codes of `cf ssh`. */
export const clientsOf = ({ client }: AdminSecrets): Client[] => [
  { id: 'cf', secret: '', grants: ['password', 'refresh_token'], authorities: [] },
  { id: 'ssh-proxy', secret: client.secret, grants: ['authorization_code'], authorities: [] },
  { ...client, grants: ['client_credentials'], authorities: [...USER_SCOPES, ...ADMIN_SCOPES] },
];
