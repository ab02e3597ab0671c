import { describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { openstackConfigSchema, type OpenStackConfig } from '../../../executor/providers/openstack/config.js';
import { readCloud } from '../../../executor/providers/openstack/credentials.js';
import { userData } from '../../../executor/providers/openstack/driver.js';
import { codeOf, readRefusal } from '../../../executor/providers/openstack/errors.js';
import { flavorFor, usable } from '../../../executor/providers/openstack/flavors.js';
import { endpointIn } from '../../../executor/providers/openstack/session.js';
import { failure } from '../../support/failure.js';

describe('refusals, in the form of each service', () => {
  test.each([
    [
      'Nova',
      403,
      '{"forbidden":{"code":403,"message":"Quota exceeded for instances: Requested 1"}}',
      'forbidden',
      'insufficient_machines',
    ],
    [
      'Nova',
      403,
      '{"forbidden":{"code":403,"message":"Quota exceeded for ram: Requested 512"}}',
      'forbidden',
      'insufficient_memory',
    ],
    [
      'Nova',
      403,
      '{"forbidden":{"code":403,"message":"Policy does not allow it"}}',
      'forbidden',
      'provider_unavailable',
    ],
    [
      'Nova',
      400,
      '{"badRequest":{"code":400,"message":"Flavor x could not be found."}}',
      'badRequest',
      'machine_failed',
    ],
    [
      'Neutron',
      409,
      '{"NeutronError":{"type":"OverQuota","message":"Quota exceeded","detail":""}}',
      'OverQuota',
      'insufficient_machines',
    ],
    [
      'Neutron',
      409,
      '{"NeutronError":{"type":"IpAddressGenerationFailure","message":"No more IP addresses"}}',
      'IpAddressGenerationFailure',
      'insufficient_machines',
    ],
    [
      'Keystone',
      401,
      '{"error":{"code":401,"title":"Unauthorized","message":"requires authentication"}}',
      'Unauthorized',
      'provider_unavailable',
    ],
    [
      'Glance',
      413,
      '<html><head><title>413 Request Entity Too Large</title></head><body>too large</body></html>',
      'Request Entity Too Large',
      'insufficient_disk',
    ],
    ['a proxy', 503, '', '', 'provider_unavailable'],
  ] as const)('%s %i %s', (_, status, body, kind, code) => {
    const told = readRefusal(body);
    expect([told.kind, codeOf(status, told.kind, told.message)]).toEqual([kind, code]);
    expect(told.message).not.toMatch(/[<>{}]/);
  });
});

describe('the catalogue', () => {
  const at = (type: string, url: string, region_id = 'one', side = 'public') => ({
    ...{ type, endpoints: [{ interface: side, region_id, url }] },
  });
  const tokenOf = (...catalog: ReturnType<typeof at>[]) => ({
    ...{ expires_at: '', user: { id: 'u', name: 'u' }, roles: [], catalog },
  });
  const where = { region_name: 'one', interface: 'public' } as const;
  test.each([
    ['compute', 'https://x/compute/v2.1', 'https://x/compute/v2.1'],
    ['compute', 'https://x:8774/v2.1/project', 'https://x:8774/v2.1/project'],
    ['compute', 'https://x:8774/', 'https://x:8774/v2.1'],
    ['image', 'https://x:9292', 'https://x:9292/v2'],
    ['image', 'https://x/image/v2/', 'https://x/image/v2'],
    ['network', 'https://x:9696/', 'https://x:9696/v2.0'],
    ['network', 'https://x/networking/v2.0', 'https://x/networking/v2.0'],
  ] as const)('%s at %s is called at %s', (type, url, wanted) => {
    expect(endpointIn(tokenOf(at(type, url)), type, where)).toBe(wanted);
  });
  test('another region or side is named where ours is not', () => {
    const token = tokenOf(at('image', 'https://x', 'two', 'internal'));
    expect(() => endpointIn(token, 'image', where)).toThrow(/no image endpoint, public in region one.*internal in two/);
  });
});

describe('flavors', () => {
  const row = (name: string, ram: number, vcpus: number, disk: number) => ({ id: name, name, ram, vcpus, disk });
  const all = [row('large', 4096, 2, 40), row('none', 256, 1, 0), row('tiny', 512, 1, 1), row('small', 2048, 1, 20)];
  test('the smallest that is large enough, with a disk of its own unless it is named', () => {
    const some = usable(all, {});
    expect(flavorFor(some, { ram_mb: 100, cpus: 1, disk_gb: 1 }).name).toBe('tiny');
    expect(flavorFor(some, { ram_mb: 100, cpus: 1, disk_gb: 2 }).name).toBe('small');
    expect(flavorFor(some, { ram_mb: 100, cpus: 2, disk_gb: 1 }).name).toBe('large');
    expect(flavorFor(usable(all, { flavors: ['none'] }), { ram_mb: 100, cpus: 1, disk_gb: 9 }).name).toBe('none');
  });
  test('what is too large is told with what there is', () => {
    expect(() => flavorFor(usable(all, {}), { ram_mb: 9999, cpus: 1, disk_gb: 1 })).toThrow(/largest has 4096 MB/);
    expect(() => flavorFor(usable(all, {}), { ram_mb: 100, cpus: 1, disk_gb: 50 })).toThrow(/largest has 40/);
  });
});

test('user data is compressed where it is large, and refused where that does not help', () => {
  expect(Buffer.from(userData('{"a":1}'), 'base64').toString()).toBe('{"a":1}');
  const large = JSON.stringify({ a: 'services '.repeat(20_000) });
  expect(userData(large).length).toBeLessThanOrEqual(65_535);
  expect(gunzipSync(Buffer.from(userData(large), 'base64')).toString()).toBe(large);
  expect(() => userData(randomBytes(60_000).toString('base64'))).toThrow(/OpenStack carries 49149/);
});

describe('credentials', () => {
  const read = async (text: string, more: Partial<OpenStackConfig> = {}) => {
    const dir = await mkdtemp(join(tmpdir(), 'unik-clouds-'));
    const credentials_file = join(dir, 'clouds.yaml');
    await writeFile(credentials_file, text);
    try {
      return await readCloud(
        openstackConfigSchema.parse({ credentials_file, network: 'n', security_groups: ['g'], ...more }),
      );
    } finally {
      await rm(dir, { recursive: true });
    }
  };
  const cloud = (name: string, password = 'p') =>
    `  ${name}:\n    region_name: of-${name}\n    cacert: /ca.pem\n    auth: {auth_url: 'https://k:5000', username: u, password: ${password}, project_name: p, project_domain_name: D}\n`;

  test('of clouds.yaml: the one that is named, or the only one; what the configuration says goes before', async () => {
    const one = await read(`clouds:\n${cloud('a')}`);
    expect(one).toMatchObject({
      auth_url: 'https://k:5000/v3',
      region_name: 'of-a',
      interface: 'public',
      ca_file: '/ca.pem',
    });
    expect(one.login).toEqual({
      auth: {
        identity: {
          methods: ['password'],
          password: { user: { name: 'u', domain: { id: 'default' }, password: 'p' } },
        },
        scope: { project: { name: 'p', domain: { name: 'D' } } },
      },
    });
    const two = `clouds:\n${cloud('a')}${cloud('b')}`;
    const more = { cloud: 'b', interface: 'internal', auth_url: 'https://other/v3/' } as const;
    expect(await read(two, more)).toMatchObject({
      region_name: 'of-b',
      interface: 'internal',
      auth_url: 'https://other/v3',
    });
    await expect(read(two)).rejects.toThrow(/has several clouds: name one of: a, b/);
    await expect(read(two, { cloud: 'c' })).rejects.toThrow(/has no cloud c; it has: a, b/);
  });
  test('an application credential is of one project, so none is named', async () => {
    const auth = { auth_url: 'https://k/v3', application_credential_id: 'i', application_credential_secret: 's' };
    expect((await read(JSON.stringify(auth))).login).toEqual({
      auth: { identity: { methods: ['application_credential'], application_credential: { id: 'i', secret: 's' } } },
    });
  });
  test.each([
    ['{', /neither YAML nor JSON/],
    ['auth_url: https://k\nusername: hunter2', /neither password nor application_credential_id/],
    ['clouds: {a: {auth: {auth_url: nowhere, password: hunter2}}}', /wrong or missing: auth\.auth_url/],
    ['password: [hunter2', /neither YAML nor JSON/],
    ['username: u\npassword: hunter2\nproject_name: p', /auth_url is missing/],
  ])('%s is refused, and nothing of it is quoted', async (text, words) => {
    const refused = await failure(() => read(text));
    expect(refused).toMatchObject({ code: 'config_invalid', message: expect.stringMatching(words) });
    expect(refused.message).not.toContain('hunter2');
  });
});
