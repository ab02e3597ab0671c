/** The UAA's rules over the CC's table of users: who may have which token, and whom a token stands for. */
import type { Clock } from '../../core/clock.js';
import type { Caller } from '../cc/access.js';
import type { User } from '../cc/model.js';
import { timeOf, type Store } from '../cc/store.js';
import { Codes } from './codes.js';
import { badClient, badCredentials, badRequest, badToken, UaaError } from './errors.js';
import { Lockout } from './lockout.js';
import { passwordFits, sameSecret } from './passwords.js';
import type { Claims, Issued, Tokens } from './tokens.js';

export interface Client {
  id: string;
  secret: string;
  grants: readonly string[];
  /** Of its own tokens (client_credentials). */
  authorities: readonly string[];
}

/** What every user has. */
export const USER_SCOPES = ['openid', 'uaa.user', 'cloud_controller.read', 'cloud_controller.write', 'password.write'];
export const ADMIN_SCOPES = [
  ...['cloud_controller.admin', 'scim.read', 'scim.write', 'uaa.admin', 'clients.read', 'clients.write'],
  ...['doppler.firehose', 'network.admin', 'routing.router_groups.read', 'routing.router_groups.write'],
];

export interface UaaParts {
  store: Store;
  tokens: Tokens;
  clients: readonly Client[];
  clock: Clock;
}

type Form = ReadonlyMap<string, string>;

export class Uaa {
  readonly #codes: Codes;
  readonly #lockout: Lockout;
  constructor(readonly parts: UaaParts) {
    this.#codes = new Codes(parts.clock);
    this.#lockout = new Lockout(parts.clock);
  }

  /** `POST /oauth/token`; `basic` is what the Authorization header says. */
  async token(form: Form, basic: { id: string; secret: string } | undefined): Promise<Issued> {
    const client = this.#client(basic ?? { id: form.get('client_id') ?? '', secret: form.get('client_secret') ?? '' });
    const grant = form.get('grant_type') ?? '';
    if (!client.grants.includes(grant))
      throw new UaaError(401, 'unauthorized_client', `Unauthorized grant type: ${grant}`);
    switch (grant) {
      case 'password':
        return this.#issue(await this.#byPassword(form), client);
      case 'refresh_token':
        return this.#issue(await this.#byRefresh(form.get('refresh_token') ?? '', client), client);
      case 'authorization_code':
        return this.#issue(this.#byCode(form.get('code') ?? '', client.id), client);
      default:
        return this.parts.tokens.issue({ client_id: client.id, scopes: client.authorities });
    }
  }

  /** Whom this Authorization header stands for; undefined: nobody. */
  async caller(authorization: string | undefined): Promise<Caller | undefined> {
    const [, token] = /^bearer\s+(\S+)$/i.exec(authorization ?? '') ?? [];
    const claims = token === undefined ? undefined : await this.claims(token);
    if (!claims) return undefined;
    const user = claims.user_id === undefined ? undefined : this.parts.store.user.get(claims.user_id);
    return {
      guid: claims.sub,
      name: user?.username ?? claims.client_id,
      email: user?.email ?? '',
      client_id: claims.client_id,
      scopes: new Set(claims.scope),
    };
  }

  /** Of a token that counts: signed by us, not out of date, not revoked, its user still there. */
  async claims(token: string, kind: 'access' | 'refresh' = 'access'): Promise<Claims | undefined> {
    const { store, tokens } = this.parts;
    const claims = await tokens.read(token, kind);
    if (!claims || store.revocation.get(claims.jti)) return undefined;
    if (claims.user_id !== undefined && store.user.get(claims.user_id)?.active !== true) return undefined;
    return claims;
  }

  /** Of one token, or of all of a login: the ids of access and refresh token differ by their end. */
  async revoke(jti: string): Promise<void> {
    const { store, clock } = this.parts;
    const days = 31 * 24 * 3_600_000;
    store.change((tx) => {
      if (!store.revocation.get(jti)) tx.insert('revocation', { guid: jti, expires_at: timeOf(clock.now() + days) });
      const old = store.revocation.filter(({ expires_at }) => expires_at < timeOf(clock.now()));
      for (const { guid } of old) tx.remove('revocation', guid);
    });
    await store.settled();
  }

  /** For `cf login --sso-passcode`, or with `ssh-proxy` for `cf ssh`. */
  code(user_guid: string, client_id: string): string {
    return this.#codes.make(user_guid, client_id);
  }

  /** By name and password, as a page of UAA's would ask; throws as the password grant does. */
  async login(username: string, password: string, origin?: string): Promise<User> {
    if (this.#lockout.locked(username))
      throw new UaaError(
        401,
        'unauthorized',
        'Your account has been locked because of too many failed attempts to login.',
      );
    const user = this.parts.store.user.find(
      (row) => row.username?.toLowerCase() === username.toLowerCase() && (origin ?? 'uaa') === row.origin,
    );
    const fits = await passwordFits(password, user?.password_hash ?? null);
    if (!user?.active || !fits) {
      this.#lockout.failed(username);
      throw badCredentials();
    }
    this.#lockout.succeeded(username);
    return user;
  }

  #client({ id, secret }: { id: string; secret: string }): Client {
    const client = this.parts.clients.find((one) => one.id === id);
    if (!client || !sameSecret(client.secret, secret)) throw badClient();
    return client;
  }

  async #byPassword(form: Form): Promise<User> {
    const passcode = form.get('passcode');
    if (passcode !== undefined) {
      const user = this.parts.store.user.get(this.#codes.take(passcode, 'passcode') ?? '');
      if (!user) throw new UaaError(401, 'unauthorized', 'Invalid passcode');
      return user;
    }
    const [username, password] = [form.get('username'), form.get('password')];
    if (username === undefined || password === undefined) throw badRequest('Missing username or password');
    return this.login(username, password, originOf(form.get('login_hint')));
  }

  async #byRefresh(token: string, client: Client): Promise<User> {
    const claims = await this.claims(token, 'refresh');
    const user = this.parts.store.user.get(claims?.user_id ?? '');
    if (!claims || claims.client_id !== client.id || !user) throw badToken();
    return user;
  }

  #byCode(code: string, client_id: string): User {
    const user = this.parts.store.user.get(this.#codes.take(code, client_id) ?? '');
    if (!user) throw new UaaError(400, 'invalid_grant', 'Invalid authorization code');
    return user;
  }

  #issue({ guid, username, origin, email, groups }: User, client: Client): Promise<Issued> {
    const user = { guid, username: username ?? '', origin: origin ?? 'uaa', email: email ?? '' };
    return this.parts.tokens.issue({ user, client_id: client.id, scopes: [...USER_SCOPES, ...groups] });
  }
}

function originOf(hint: string | undefined): string | undefined {
  if (hint === undefined) return undefined;
  try {
    const { origin } = JSON.parse(hint) as { origin?: unknown };
    return typeof origin === 'string' ? origin : undefined;
  } catch {
    throw badRequest('login_hint is not JSON');
  }
}
