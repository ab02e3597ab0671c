/** Tokens, roles and what strangers get: the platform without any cell. */
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../core/clock.js';
import { noLog } from '../../../core/log.js';
import { configSchema } from '../../../localcf/config.js';
import { startLocalCf, type LocalCf } from '../../../localcf/localcf.js';
import { freePorts } from '../../support/diego/children.js';
import { root } from '../../support/unik.js';

jest.setTimeout(60_000);

type Json = Record<string, unknown>;
interface Answer {
  status: number;
  body: Json;
}

let home: string;
let localcf: LocalCf;
let ports: number[];
let admin: string;

const start = (more: object = {}): Promise<LocalCf> =>
  startLocalCf({
    ...{ home: join(home, 'cf'), command: [], env: {}, clock: systemClock, log: noLog },
    config: configSchema.parse({
      ...{ cells: 0, api: { port: ports[0] }, router: { port: ports[1] }, limits: { buildpack_bytes: 1_000 } },
      ...more,
    }),
    shipped: { lifecycle: join(home, 'lifecycle.tgz'), buildpack: join(home, 'unik_buildpack-v0.zip') },
  });

async function call(method: string, path: string, token?: string, body?: unknown): Promise<Answer> {
  const isForm = body instanceof FormData || body instanceof URLSearchParams;
  const reply = await fetch(`${localcf.api_url}${path}`, {
    method,
    redirect: 'manual',
    headers: {
      ...(token === undefined ? {} : { authorization: token }),
      ...(isForm ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: isForm ? body : JSON.stringify(body) }),
  });
  const text = await reply.text();
  return { status: reply.status, body: (text.startsWith('{') ? JSON.parse(text) : { text }) as Json };
}

async function grant(form: Record<string, string>, client = 'cf:'): Promise<Answer> {
  const reply = await fetch(`${localcf.api_url}/oauth/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(client).toString('base64')}` },
    body: new URLSearchParams(form),
  });
  return { status: reply.status, body: (await reply.json()) as Json };
}

async function login(username: string, password: string): Promise<string> {
  const { body } = await grant({ grant_type: 'password', username, password });
  return `bearer ${String(body['access_token'])}`;
}

async function makeUser(name: string): Promise<{ guid: string; token: string }> {
  const made = await call('POST', '/Users', admin, { userName: name, password: `pw of ${name}`, emails: [] });
  const guid = String(made.body['id']);
  await call('POST', '/v3/users', admin, { guid });
  return { guid, token: await login(name, `pw of ${name}`) };
}

const guidOf = ({ body }: Answer): string => String(body['guid']);
const to = (guid: string): object => ({ data: { guid } });
const detail = ({ body }: Answer): unknown => (body['errors'] as Json[] | undefined)?.[0]?.['detail'];

async function makeOrg(name: string): Promise<{ org: string; space: string }> {
  const org = guidOf(await call('POST', '/v3/organizations', admin, { name }));
  const relationships = { organization: to(org) };
  return { org, space: guidOf(await call('POST', '/v3/spaces', admin, { name: 'dev', relationships })) };
}

async function give(user: string, type: string, place: object): Promise<void> {
  const made = await call('POST', '/v3/roles', admin, { type, relationships: { user: to(user), ...place } });
  expect(made).toMatchObject({ status: 201 });
}

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'unik-platform-'));
  ports = await freePorts(2);
  await writeFile(join(home, 'lifecycle.tgz'), 'a lifecycle');
  await writeFile(join(home, 'unik_buildpack-v0.zip'), 'a buildpack');
  localcf = await start();
  admin = await login('admin', localcf.admin.password);
}, 60_000);
afterAll(async () => {
  await localcf.close();
  await rm(home, { recursive: true, force: true });
});

describe('without a token', () => {
  /** All routes, as they stand in the resource files. */
  async function routes(): Promise<[method: string, path: string][]> {
    const folder = join(root, 'localcf/cc/resources');
    const texts = await Promise.all((await readdir(folder)).map((name) => readFile(join(folder, name), 'utf8')));
    return texts.flatMap((text) =>
      [...text.matchAll(/\b(get|post|put|patch|del)\(\s*'(\/[^']*)'/g)].map(
        ([, method = '', path = '']): [string, string] => [
          method === 'del' ? 'DELETE' : method.toUpperCase(),
          path.replace(/:\w+/g, 'x'),
        ],
      ),
    );
  }

  test('everything but the first documents is refused', async () => {
    const all = await routes();
    expect(all.length).toBeGreaterThan(100);
    const open = await Promise.all(
      all.map(async ([method, path]) => {
        const [none, bad] = await Promise.all([call(method, path), call(method, path, 'bearer nonsense')]);
        return none.status === 401 && bad.status === 401 ? [] : [`${method} ${path}`];
      }),
    );
    expect(new Set(open.flat())).toEqual(new Set(['GET /', 'GET /v3', 'GET /v3/info']));
  });

  test('an address that is not there tells no more', async () => {
    expect((await call('GET', '/v3/nonsense')).status).toBe(401);
    expect(await call('GET', '/v3/nonsense', admin)).toMatchObject({
      status: 404,
      body: { errors: [{ code: 10_000 }] },
    });
  });

  test('users and logs are refused', async () => {
    expect((await call('GET', '/Users')).status).toBe(401);
    expect((await call('GET', '/api/v1/read/anything')).status).toBe(404);
    expect((await call('GET', '/userinfo')).status).toBe(401);
  });
});

describe('tokens', () => {
  test('carry what cf reads', async () => {
    const [, payload = ''] = admin.split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Json;
    expect(claims).toMatchObject({ user_name: 'admin', origin: 'uaa', client_id: 'cf', user_id: expect.any(String) });
  });

  test('of another key, without a signature, or changed, do not count', async () => {
    const [head = '', payload = '', signature = ''] = admin.replace('bearer ', '').split('.');
    const none = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url');
    const other = Buffer.from(
      JSON.stringify({ ...(JSON.parse(Buffer.from(payload, 'base64url').toString()) as Json), sub: 'x' }),
    );
    for (const token of [
      `${none}.${payload}.`,
      `${none}.${payload}.${signature}`,
      `${head}.${other.toString('base64url')}.${signature}`,
    ])
      expect((await call('GET', '/v3/organizations', `bearer ${token}`)).status).toBe(401);
  });

  test('a refresh token is no access token, and gives a new one', async () => {
    const { password } = localcf.admin;
    const { body } = await grant({ grant_type: 'password', username: 'admin', password });
    const refresh_token = String(body['refresh_token']);
    expect((await call('GET', '/v3/organizations', `bearer ${refresh_token}`)).status).toBe(401);
    const renewed = await grant({ grant_type: 'refresh_token', refresh_token });
    expect(renewed.status).toBe(200);
    expect((await call('GET', '/v3/organizations', `bearer ${String(renewed.body['access_token'])}`)).status).toBe(200);
    expect((await grant({ grant_type: 'refresh_token', refresh_token: 'nonsense' })).status).toBe(401);
  });

  test('after a log-out neither counts', async () => {
    const { password } = localcf.admin;
    const { body } = await grant({ grant_type: 'password', username: 'admin', password });
    const token = `bearer ${String(body['access_token'])}`;
    expect((await call('DELETE', `/oauth/token/revoke/${String(body['jti'])}`, token)).status).toBe(200);
    expect((await call('GET', '/v3/organizations', token)).status).toBe(401);
    const refresh_token = String(body['refresh_token']);
    expect((await grant({ grant_type: 'refresh_token', refresh_token })).status).toBe(401);
  });

  test('of a client, and of nobody', async () => {
    const { id, secret } = localcf.admin.client;
    const { status, body } = await grant({ grant_type: 'client_credentials' }, `${id}:${secret}`);
    expect(status).toBe(200);
    expect((await call('GET', '/Users', `bearer ${String(body['access_token'])}`)).status).toBe(200);
    expect((await grant({ grant_type: 'client_credentials' }, `${id}:wrong`)).status).toBe(401);
    expect((await grant({ grant_type: 'client_credentials' })).status).toBe(401);
  });

  test('a passcode is good once', async () => {
    const basic = `Basic ${Buffer.from(`admin:${localcf.admin.password}`).toString('base64')}`;
    const { body } = await call('GET', '/passcode', basic);
    const passcode = String(body['text']).trim();
    expect((await grant({ grant_type: 'password', passcode })).status).toBe(200);
    expect((await grant({ grant_type: 'password', passcode })).status).toBe(401);
  });

  test('five wrong passwords lock the name, also for the right one', async () => {
    const { guid } = await makeUser('locked');
    expect(guid).not.toBe('');
    for (let n = 0; n < 5; n++)
      expect((await grant({ grant_type: 'password', username: 'locked', password: 'no' })).status).toBe(401);
    const locked = await grant({ grant_type: 'password', username: 'locked', password: 'pw of locked' });
    expect(locked.body['error_description']).toMatch(/account has been locked/);
  });

  test('a user without an origin, as cf makes them, is one of this UAA', async () => {
    const made = await call('POST', '/Users', admin, { userName: 'ori', password: 'pw of ori', origin: '' });
    expect(made).toMatchObject({ status: 201, body: { origin: 'uaa' } });
    expect((await grant({ grant_type: 'password', username: 'ori', password: 'pw of ori' })).status).toBe(200);
  });

  test('keys are told, secrets are not', async () => {
    const { body } = await call('GET', '/token_keys');
    const [key = {}] = body['keys'] as Json[];
    expect(key).toMatchObject({ kty: 'RSA', alg: 'RS256' });
    expect(Object.keys(key)).not.toContain('d');
  });
});

describe('roles', () => {
  test('what one has no role in is not there', async () => {
    const mine = await makeOrg('hers');
    const other = await makeOrg('not-hers');
    const ann = await makeUser('ann');
    await give(ann.guid, 'organization_user', { organization: to(mine.org) });
    await give(ann.guid, 'space_developer', { space: to(mine.space) });
    const names = async (path: string): Promise<unknown[]> =>
      ((await call('GET', path, ann.token)).body['resources'] as Json[]).map(({ name }) => name);
    expect(await names('/v3/organizations')).toEqual(['hers']);
    expect(await names('/v3/spaces')).toEqual(['dev']);
    for (const path of [
      `/v3/spaces/${other.space}`,
      `/v3/organizations/${other.org}`,
      `/v3/spaces/${other.space}/features`,
    ])
      expect((await call('GET', path, ann.token)).status).toBe(404);
    expect((await call('DELETE', `/v3/spaces/${other.space}`, ann.token)).status).toBe(404);
    expect((await call('DELETE', `/v3/spaces/${mine.space}`, ann.token)).status).toBe(403);
    const relationships = { space: to(other.space) };
    const made = await call('POST', '/v3/apps', ann.token, { name: 'mine', relationships });
    expect(made.status).toBe(422);
  });

  test('an auditor reads, and no secrets', async () => {
    const { org, space } = await makeOrg('audited');
    const made = await call('POST', '/v3/apps', admin, { name: 'seen', relationships: { space: to(space) } });
    const app = guidOf(made);
    const bob = await makeUser('bob');
    await give(bob.guid, 'organization_user', { organization: to(org) });
    await give(bob.guid, 'space_auditor', { space: to(space) });
    expect((await call('GET', `/v3/apps/${app}`, bob.token)).status).toBe(200);
    expect((await call('GET', `/v3/apps/${app}/env`, bob.token)).status).toBe(403);
    expect((await call('PATCH', `/v3/apps/${app}`, bob.token, { name: 'other' })).status).toBe(403);
    expect((await call('GET', `/api/v1/read/${app}`, bob.token)).status).toBe(200);
    const eve = await makeUser('eve');
    expect((await call('GET', `/api/v1/read/${app}`, eve.token)).status).toBe(404);
    expect((await call('GET', `/v3/apps/${app}`, eve.token)).status).toBe(404);
  });

  test('only an administrator changes the platform', async () => {
    const { token } = await makeUser('carl');
    const tries: [string, string, object][] = [
      ['POST', '/v3/organizations', { name: 'x' }],
      ['POST', '/v3/buildpacks', { name: 'x' }],
      ['POST', '/v3/stacks', { name: 'x' }],
      ['POST', '/v3/users', { guid: 'x' }],
      ['POST', '/v3/organization_quotas', { name: 'x' }],
      ['POST', '/v3/isolation_segments', { name: 'x' }],
      ['POST', '/v3/security_groups', { name: 'x' }],
      ['POST', '/v3/domains', { name: 'x.example' }],
      ['PATCH', '/v3/feature_flags/diego_docker', { enabled: true }],
      ['PATCH', '/v3/environment_variable_groups/running', { var: {} }],
      ['POST', '/Users', { userName: 'x', password: 'x' }],
    ];
    for (const [method, path, body] of tries)
      expect([path, (await call(method, path, token, body)).status]).toEqual([path, 403]);
  });

  test('a user who is gone has no token any more', async () => {
    const { guid, token } = await makeUser('dora');
    expect((await call('GET', '/v3/organizations', token)).status).toBe(200);
    await call('DELETE', `/Users/${guid}`, admin);
    expect((await call('GET', '/v3/organizations', token)).status).toBe(401);
  });
});

describe('a route that is shared', () => {
  test('is seen and mapped by the other space, changed by its own, and goes over with its owner', async () => {
    const [mine, theirs] = [await makeOrg('sharers'), await makeOrg('guests')];
    const [owner, guest] = [await makeUser('owner'), await makeUser('guest')];
    await give(owner.guid, 'organization_user', { organization: to(mine.org) });
    await give(guest.guid, 'organization_user', { organization: to(theirs.org) });
    await give(owner.guid, 'space_developer', { space: to(mine.space) });
    await give(guest.guid, 'space_developer', { space: to(theirs.space) });
    const [domain] = (await call('GET', '/v3/domains?names=apps.localhost', admin)).body['resources'] as Json[];
    const made = (name: string, token: string, space: string) =>
      call('POST', '/v3/apps', token, { name, relationships: { space: to(space) } });
    const app = guidOf(await made('visitor', guest.token, theirs.space));
    const relationships = { space: to(mine.space), domain: to(String(domain?.['guid'])) };
    const route = `/v3/routes/${guidOf(await call('POST', '/v3/routes', owner.token, { host: 'both', relationships }))}`;
    const share = (token: string) =>
      call('POST', `${route}/relationships/shared_spaces`, token, { data: [{ guid: theirs.space }] });
    const map = () => call('POST', `${route}/destinations`, guest.token, { destinations: [{ app: { guid: app } }] });

    expect((await call('GET', route, guest.token)).status).toBe(404);
    expect((await map()).status).toBe(404);
    expect(await share(owner.token)).toMatchObject({
      status: 403,
      body: { errors: [{ title: 'CF-FeatureDisabled' }] },
    });
    await call('PATCH', '/v3/feature_flags/route_sharing', admin, { enabled: true });
    // A space that one may not write to.
    expect((await share(owner.token)).status).toBe(422);
    expect(await share(admin)).toMatchObject({ status: 200, body: { data: [{ guid: theirs.space }] } });

    expect((await call('GET', route, guest.token)).status).toBe(200);
    const seen = await call('GET', `/v3/routes?space_guids=${theirs.space}`, guest.token);
    expect(seen.body['resources']).toMatchObject([{ host: 'both' }]);
    expect(await map()).toMatchObject({ status: 200, body: { destinations: [{ app: { guid: app } }] } });
    expect((await call('DELETE', route, guest.token)).status).toBe(403);
    expect((await call('PATCH', route, guest.token, { metadata: { labels: { a: 'b' } } })).status).toBe(403);

    expect((await call('DELETE', `${route}/relationships/shared_spaces/${theirs.space}`, admin)).status).toBe(204);
    expect((await call('GET', `${route}/destinations`, owner.token)).body['destinations']).toEqual([]);
    expect((await call('GET', route, guest.token)).status).toBe(404);

    const moved = await call('PATCH', `${route}/relationships/space`, admin, to(theirs.space));
    expect(moved).toMatchObject({ status: 200, body: to(theirs.space) });
    expect((await call('GET', route, owner.token)).body).toMatchObject({
      relationships: { space: to(theirs.space) },
    });
    expect((await call('DELETE', route, owner.token)).status).toBe(403);
    expect((await call('DELETE', route, guest.token)).status).toBe(202);
    await call('PATCH', '/v3/feature_flags/route_sharing', admin, { enabled: false });
  });
});

describe('stacks', () => {
  const standard = async (): Promise<unknown[]> =>
    ((await call('GET', '/v3/stacks?default=true', admin)).body['resources'] as Json[]).map(({ name }) => name);

  test('the one of apps that name none is the operator’s choice, also after others were made', async () => {
    const { space } = await makeOrg('stacked');
    const stackOf = async (name: string): Promise<unknown> =>
      (await call('POST', '/v3/apps', admin, { name, relationships: { space: to(space) } })).body['lifecycle'];
    expect([await standard(), await stackOf('usual')]).toMatchObject([
      ['cflinuxfs4'],
      { data: { stack: 'cflinuxfs4' } },
    ]);
    for (const name of ['unik', 'cflinuxfs4']) {
      await localcf.close();
      localcf = await start({ default_stack: name });
      expect([await standard(), await stackOf(`of ${name}`)]).toMatchObject([[name], { data: { stack: name } }]);
    }
  });
});

describe('lists and bodies', () => {
  test('hosts of routes and domains are found in letters of either case', async () => {
    const { space } = await makeOrg('routed');
    const domains = (await call('GET', '/v3/domains', admin)).body['resources'] as Json[];
    const relationships = { space: to(space), domain: to(String(domains[0]?.['guid'])) };
    await call('POST', '/v3/routes', admin, { host: 'Some-Host', path: '/Path', relationships });
    const name = String(domains[0]?.['name']).toUpperCase();
    expect((await call('GET', `/v3/domains?names=${name}`, admin)).body['resources']).toHaveLength(1);
    const { body } = await call('GET', '/v3/routes?hosts=SOME-host&paths=/path', admin);
    expect(body['resources']).toMatchObject([{ host: 'Some-Host' }]);
  });

  test('unknown parameters, orders and fields are named', async () => {
    expect(detail(await call('GET', '/v3/spaces?nonsense=1', admin))).toMatch(
      /Unknown query parameter\(s\): 'nonsense'/,
    );
    expect(detail(await call('GET', '/v3/spaces?order_by=colour', admin))).toMatch(/Order by can only be/);
    expect(detail(await call('POST', '/v3/organizations', admin, { name: 'x', colour: 1 }))).toBe(
      "Unknown field(s): 'colour'",
    );
    expect(detail(await call('POST', '/v3/organizations', admin, { name: 'unik' }))).toBe(
      "Organization 'unik' already exists.",
    );
  });

  test('pages lead to each other', async () => {
    const { body } = await call('GET', '/v3/buildpacks?per_page=4&page=2', admin);
    const { next, previous, total_results } = body['pagination'] as Record<string, { href: string }>;
    expect(total_results).toBe(11);
    expect(previous?.href).toContain('page=1');
    const rest = (await (await fetch(next?.href ?? '', { headers: { authorization: admin } })).json()) as Json;
    expect((rest['resources'] as Json[]).length).toBe(3);
  });

  test('JSON that is none is told so', async () => {
    const reply = await fetch(`${localcf.api_url}/v3/organizations`, {
      ...{ method: 'POST', body: '{"name":' },
      headers: { authorization: admin, 'content-type': 'application/json' },
    });
    expect([reply.status, ((await reply.json()) as Json)['errors']]).toMatchObject([400, [{ code: 1_001 }]]);
  });

  test('an upload is bounded', async () => {
    const guid = guidOf(await call('POST', '/v3/buildpacks', admin, { name: 'large' }));
    const form = new FormData();
    form.set('bits', new Blob([new Uint8Array(2_000)]), 'large.zip');
    expect((await call('POST', `/v3/buildpacks/${guid}/upload`, admin, form)).status).toBe(413);
    const blobs = await readdir(join(home, 'cf/blobs/blobs'), { recursive: true, withFileTypes: true });
    expect(blobs.filter((one) => one.isFile())).toHaveLength(1);
  });
});

describe('the machine', () => {
  test('secrets are their owner’s alone', async () => {
    const mode = async (name: string): Promise<number> => (await stat(join(home, 'cf', name))).mode & 0o777;
    for (const name of ['admin.json', 'uaa-key.json', 'signing.key', 'nats-password', 'certificates/platform.key'])
      expect([name, await mode(name)]).toEqual([name, 0o600]);
    expect(await mode('')).toBe(0o700);
  });

  test('all that listens listens on loopback', async () => {
    const inner = JSON.parse(await readFile(join(home, 'cf/ports.json'), 'utf8')) as Record<string, number>;
    const ours = new Set(
      [...ports, ...Object.values(inner)].map((port) => port.toString(16).toUpperCase().padStart(4, '0')),
    );
    const tables = await Promise.all(['tcp', 'tcp6'].map((name) => readFile(`/proc/net/${name}`, 'utf8')));
    const listening = tables
      .flatMap((table) => table.split('\n').map((line) => line.trim().split(/\s+/)))
      .flatMap(([, local = '', , state]) => (state === '0A' && ours.has(local.split(':')[1] ?? '') ? [local] : []));
    expect(listening.length).toBeGreaterThanOrEqual(ours.size);
    expect(listening.filter((local) => !local.startsWith('0100007F:'))).toEqual([]);
  });

  test('it answers under no name but loopback’s', async () => {
    const status = await new Promise((resolve, reject) => {
      const { hostname, port } = new URL(localcf.api_url);
      const sent = request({ hostname, port, path: '/', headers: { host: 'evil.example' } }, (reply) => {
        reply.resume();
        resolve(reply.statusCode);
      });
      sent.on('error', reject).end();
    });
    expect(status).toBe(421);
  });

  test('what was answered is there after a restart, and tokens still count', async () => {
    await call('POST', '/v3/organizations', admin, { name: 'kept' });
    await localcf.close();
    localcf = await start();
    const { body } = await call('GET', '/v3/organizations?names=kept', admin);
    expect(body['resources']).toHaveLength(1);
  });
});
