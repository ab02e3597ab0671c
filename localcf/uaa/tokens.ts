/** Tokens: JWTs signed with a key of this UAA. Source: UAA's token claims as `cf` reads them (docs: cf-cli facts). */
import { exportJWK, exportSPKI, generateKeyPair, importJWK, jwtVerify, SignJWT, type CryptoKey, type JWK } from 'jose';
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Clock } from '../../core/clock.js';
import { readJsonFile, writeJsonFile } from '../../core/json-file.js';

const ALG = 'RS256';
const ACCESS_S = 10 * 60;
const REFRESH_S = 30 * 24 * 3600;

/** Who a token is for: a user, or a client alone. */
export interface Subject {
  user?: { guid: string; username: string; origin: string; email: string };
  client_id: string;
  scopes: readonly string[];
}

const claimsSchema = z.looseObject({
  jti: z.string(),
  sub: z.string(),
  exp: z.number(),
  scope: z.array(z.string()),
  client_id: z.string(),
  user_id: z.string().optional(),
  user_name: z.string().optional(),
  origin: z.string().optional(),
  email: z.string().optional(),
});
export type Claims = z.output<typeof claimsSchema>;

export interface Issued {
  access_token: string;
  /** Of users only. */
  refresh_token?: string;
  token_type: 'bearer';
  expires_in: number;
  scope: string;
  jti: string;
}

export interface Tokens {
  issue(subject: Subject): Promise<Issued>;
  /** Undefined: not ours, changed, or out of date. Revocation is the caller's to ask. */
  read(token: string, kind: 'access' | 'refresh'): Promise<Claims | undefined>;
  /** As `GET /token_keys` shows it. */
  publicKey(): Promise<JWK & { value: string }>;
}

export interface TokenOptions {
  /** Where the signing key is kept, readable by its owner alone; undefined: a new one at each start. */
  file: string | undefined;
  /** `iss` of the tokens: `<uaa>/oauth/token`. */
  issuer: string;
  clock: Clock;
}

export async function openTokens({ file, issuer, clock }: TokenOptions): Promise<Tokens> {
  const { key, jwk } = await openKey(file);
  const { kty, n, e, kid } = jwk as JWK & { kid: string };
  const publicJwk: JWK = { kty, n, e, kid, alg: ALG, use: 'sig' } as JWK;
  const publicKey = (await importJWK(publicJwk, ALG, { extractable: true })) as CryptoKey;

  async function sign(claims: object, kind: 'access' | 'refresh', jti: string, lifetime: number): Promise<string> {
    const now = Math.floor(clock.now() / 1_000);
    return new SignJWT({
      ...claims,
      jti,
      kind,
      iss: issuer,
      iat: now,
      exp: now + lifetime,
      revocable: true,
      zid: 'uaa',
    })
      .setProtectedHeader({ alg: ALG, kid, typ: 'JWT' })
      .sign(key);
  }

  return {
    async issue({ user, client_id, scopes }) {
      const jti = randomUUID().replaceAll('-', '');
      const claims = {
        sub: user?.guid ?? client_id,
        ...{ client_id, cid: client_id, azp: client_id, scope: scopes },
        aud: [...new Set([client_id, ...scopes.map((scope) => scope.split('.')[0] ?? scope)])],
        grant_type: user ? 'password' : 'client_credentials',
        ...(user && { user_id: user.guid, user_name: user.username, origin: user.origin, email: user.email }),
        ...(!user && { authorities: scopes }),
      };
      return {
        access_token: await sign(claims, 'access', jti, ACCESS_S),
        ...(user && { refresh_token: await sign(claims, 'refresh', `${jti}-r`, REFRESH_S) }),
        token_type: 'bearer',
        expires_in: ACCESS_S - 1,
        scope: scopes.join(' '),
        jti,
      };
    },
    async read(token, kind) {
      try {
        const { payload } = await jwtVerify(token, publicKey, {
          algorithms: [ALG],
          issuer,
          currentDate: new Date(clock.now()),
        });
        const claims = claimsSchema.safeParse(payload);
        return claims.success && payload['kind'] === kind ? claims.data : undefined;
      } catch {
        // Whatever is wrong with it, it counts for nothing.
        return undefined;
      }
    },
    async publicKey() {
      return { ...publicJwk, value: await exportSPKI(publicKey) };
    },
  };
}

async function openKey(file: string | undefined): Promise<{ key: CryptoKey; jwk: JWK }> {
  let jwk = file === undefined ? undefined : ((await readJsonFile(file)) as JWK | undefined);
  if (!jwk) {
    const pair = await generateKeyPair(ALG, { extractable: true });
    jwk = { ...(await exportJWK(pair.privateKey)), kid: randomUUID(), alg: ALG };
    if (file !== undefined) await writeJsonFile(file, jwk);
  }
  return { key: (await importJWK(jwk, ALG)) as CryptoKey, jwk };
}
