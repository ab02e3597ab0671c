/** UAA's endpoints over its rules. */
import express, { type ErrorRequestHandler, type Express, type Request } from 'express';
import type { Log } from '../../core/log.js';
import type { Caller } from '../cc/access.js';
import type { User } from '../cc/model.js';
import { badClient, badRequest, badToken, noScope, UaaError } from './errors.js';
import { changePassword, createUser, deleteUser, passwordSchema, presentUser, userFilter, userSchema } from './scim.js';
import type { Uaa } from './uaa.js';

export interface UaaAppOptions {
  uaa: Uaa;
  /** Base of this UAA: `http://host:port`. */
  url: string;
  log: Log;
}

/** From 4.26 on the CLI offers `--origin`. */
const VERSION = '77.20.0';

export function uaaApp({ uaa, url, log }: UaaAppOptions): Express {
  const { store, tokens } = uaa.parts;
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use(express.urlencoded({ extended: false, limit: '100kb' }), express.json({ limit: '100kb' }));

  const caller = async (request: Request, ...scopes: string[]): Promise<Caller> => {
    const found = await uaa.caller(request.headers.authorization);
    if (!found) throw badToken();
    if (scopes.length > 0 && !scopes.some((scope) => found.scopes.has(scope))) throw noScope();
    return found;
  };
  const user = (guid: unknown): User => {
    const found = store.user.get(String(guid));
    if (!found) throw new UaaError(404, 'scim_resource_not_found', `User ${String(guid)} does not exist`);
    return found;
  };

  app.get(['/login', '/info'], (_request, response) => {
    response.json({
      app: { version: VERSION },
      links: { uaa: url, login: url, passwd: '/forgot_password' },
      zone_name: 'uaa',
      entityID: 'unik',
      prompts: {
        username: ['text', 'Email'],
        password: ['password', 'Password'],
        passcode: ['password', `Temporary Authentication Code ( Get one at ${url}/passcode )`],
      },
    });
  });

  app.post('/oauth/token', async (request, response) => {
    response.set('cache-control', 'no-store');
    response.json(await uaa.token(formOf(request), basicOf(request)));
  });
  app.get(['/token_keys', '/token_key'], async (request, response) => {
    const key = await tokens.publicKey();
    response.json(request.path === '/token_key' ? key : { keys: [key] });
  });
  app.get('/.well-known/openid-configuration', (_request, response) => {
    response.json({
      issuer: `${url}/oauth/token`,
      token_endpoint: `${url}/oauth/token`,
      authorization_endpoint: `${url}/oauth/authorize`,
      userinfo_endpoint: `${url}/userinfo`,
      jwks_uri: `${url}/token_keys`,
    });
  });
  app.get('/userinfo', async (request, response) => {
    const { guid, name } = await caller(request, 'openid');
    const { email, given_name, family_name, origin } = user(guid);
    response.json({ user_id: guid, sub: guid, user_name: name, email, given_name, family_name, origin });
  });
  app.post('/check_token', async (request, response) => {
    const basic = basicOf(request);
    const isKnown = uaa.parts.clients.some(({ id, secret }) => id === basic?.id && secret === basic.secret);
    // The public client `cf` has no secret to prove anything with.
    if (!isKnown || basic?.secret === '') throw badClient();
    const claims = await uaa.claims(formOf(request).get('token') ?? '');
    if (!claims) throw new UaaError(400, 'invalid_token', 'Invalid token');
    response.json(claims);
  });
  app.delete('/oauth/token/revoke/:jti', async (request, response) => {
    const token = /^bearer\s+(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
    const claims = token === undefined ? undefined : await uaa.claims(token);
    if (!claims) throw badToken();
    const { jti } = request.params;
    const own = claims.jti;
    // One's own login, or any of an administrator's.
    if (![own, `${own}-r`].includes(jti) && !claims.scope.includes('uaa.admin')) throw noScope();
    await uaa.revoke(jti);
    if (jti === own) await uaa.revoke(`${own}-r`);
    response.json({});
  });
  app.get('/oauth/authorize', async (request, response) => {
    const { guid } = await caller(request);
    const client = typeof request.query['client_id'] === 'string' ? request.query['client_id'] : '';
    const known = uaa.parts.clients.find(({ id }) => id === client);
    if (!known?.grants.includes('authorization_code')) throw badClient();
    response
      .set('location', `${url}/login?code=${uaa.code(user(guid).guid, client)}`)
      .status(302)
      .end();
  });
  /** In a browser: name and password by HTTP Basic, then a code to paste into `cf login --sso`. */
  app.get('/passcode', async (request, response) => {
    const basic = basicOf(request);
    if (!basic) {
      response.set('www-authenticate', 'Basic realm="uaa"').status(401).end();
      return;
    }
    const { guid } = await uaa.login(basic.id, basic.secret);
    response
      .set('cache-control', 'no-store')
      .type('text/plain')
      .send(`${uaa.code(guid, 'passcode')}\n`);
  });

  app.get('/Users', async (request, response) => {
    await caller(request, 'scim.read', 'uaa.admin');
    const filter = typeof request.query['filter'] === 'string' ? userFilter(request.query['filter']) : () => true;
    const found = store.user.filter((row) => row.username !== null && filter(row));
    response.json({
      resources: found.map(presentUser),
      ...{ startIndex: 1, itemsPerPage: 100, totalResults: found.length, schemas: ['urn:scim:schemas:core:1.0'] },
    });
  });
  app.post('/Users', async (request, response) => {
    await caller(request, 'scim.write', 'uaa.admin');
    const body = userSchema.safeParse(request.body);
    if (!body.success) throw new UaaError(400, 'invalid_scim_resource', 'A username must be provided.');
    const made = await createUser(store, body.data);
    await store.settled();
    response.status(201).json(presentUser(made));
  });
  app.get('/Users/:guid', async (request, response) => {
    const { guid } = await caller(request);
    if (guid !== request.params.guid) await caller(request, 'scim.read', 'uaa.admin');
    response.json(presentUser(user(request.params.guid)));
  });
  app.delete('/Users/:guid', async (request, response) => {
    await caller(request, 'scim.write', 'uaa.admin');
    const gone = user(request.params.guid);
    deleteUser(store, gone);
    await store.settled();
    response.json(presentUser(gone));
  });
  app.put('/Users/:guid/password', async (request, response) => {
    const { guid, scopes } = await caller(request, 'password.write', 'uaa.admin');
    const target = user(request.params.guid);
    if (guid !== target.guid && !scopes.has('uaa.admin')) throw noScope();
    const body = passwordSchema.safeParse(request.body);
    if (!body.success) throw badRequest('password is missing');
    await changePassword(store, target, body.data, guid !== target.guid);
    await store.settled();
    response.json({ status: 'ok', message: 'password updated' });
  });

  app.use((request) => {
    throw new UaaError(404, 'not_found', `${request.method} ${request.path} is not offered by this UAA`);
  });
  const failed: ErrorRequestHandler = (err: unknown, request, response, next) => {
    const error = err instanceof UaaError ? err : unexpected(err);
    if (error.status >= 500) log.error({ err, path: request.path }, 'uaa.failed');
    if (response.headersSent) next(err);
    else response.status(error.status).json({ error: error.error, error_description: error.message });
  };
  app.use(failed);
  return app;
}

function unexpected(err: unknown): UaaError {
  const isFault = err instanceof Error && 'status' in err && typeof err.status === 'number' && err.status < 500;
  return isFault ? badRequest(err.message) : new UaaError(500, 'server_error', 'An unknown error occurred.');
}

function formOf(request: Request): Map<string, string> {
  const body = (request.body ?? {}) as Record<string, unknown>;
  const text = Object.entries(body).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  return new Map(text);
}

/** `id:secret`. */
function basicOf(request: Request): { id: string; secret: string } | undefined {
  const [, encoded] = /^basic\s+(\S+)$/i.exec(request.headers.authorization ?? '') ?? [];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const at = text.indexOf(':');
  return at < 0 ? { id: text, secret: '' } : { id: text.slice(0, at), secret: text.slice(at + 1) };
}
