/** `unik doctor` of a configured cloud: what is well, and what is not with its remedy; nothing that is said or kept holds a secret. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Finding } from '../../../executor/providers/provider.js';
import { commandLines, textsBelow } from '../../support/exposed.js';
import { cloudConfig } from '../../support/openstack/cloud-config.js';
import { PASSWORD } from '../../support/openstack/keystone.js';
import { OpenStackPeer } from '../../support/openstack/peer.js';
import { makeUnik, type Unik } from '../../support/unik.js';

let dir: string;
let unik: Unik;
let cloud: OpenStackPeer;
const said: string[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'unik-doctor-'));
  cloud = await OpenStackPeer.open(undefined, join(dir, 'cloud'));
  unik = await makeUnik();
  const config = { providers: ['openstack'], provider_options: { openstack: await cloudConfig(dir, cloud) } };
  await writeFile(join(unik.home, 'config.json'), JSON.stringify(config));
}, 60_000);
afterEach(async () => {
  cloud.fault = () => undefined;
  cloud.nova.instances = 10;
  await cloudConfig(dir, cloud);
});
afterAll(async () => {
  await unik.close();
  await cloud.close();
  await rm(dir, { recursive: true, force: true });
});

const findings = async (): Promise<Finding[]> => {
  const { stdout, stderr } = await unik(['doctor', '--json']);
  said.push(stdout, stderr);
  return (JSON.parse(stdout) as { findings: Finding[] }).findings.filter(({ name }) => name.includes('openstack'));
};
const wrong = async (): Promise<Finding[]> =>
  (await findings()).filter(({ name, status }) => name.startsWith('openstack') && status !== 'ok');

test('where all is well it says as whom, with which rights, and how much is left', async () => {
  const found = await findings();
  expect(found.filter(({ status }) => status !== 'ok')).toEqual([]);
  const told = found.map(({ name, detail }) => `${name}: ${detail}`).join('\n');
  expect(told).toMatch(/openstack reach and credentials: unik in project apps/);
  expect(told).toMatch(/openstack right to make machines: roles: member/);
  expect(told).toMatch(/openstack quota: 0 of 10 instances/);
  expect(told).toMatch(/provider openstack/);
}, 60_000);

test('a missing right, a spent quota and wrong credentials are named with what mends them', async () => {
  cloud.fault = (call) => (call === 'glance GET /images' ? 'forbidden' : undefined);
  expect((await wrong())[0]).toMatchObject({
    name: 'openstack right get_images',
    fix: expect.stringMatching(/role member/),
  });
  cloud.fault = () => undefined;
  cloud.nova.instances = 0;
  expect((await wrong())[0]).toMatchObject({ name: 'openstack quota', fix: expect.stringMatching(/quota set/) });
  const auth = { auth_url: cloud.auth_url, username: 'unik', password: `${PASSWORD}-of-old`, project_name: 'apps' };
  await writeFile(join(dir, 'clouds.yaml'), JSON.stringify(auth));
  cloud.keystone.revoke();
  expect((await wrong())[0]).toMatchObject({
    ...{
      name: 'openstack reach and credentials',
      fix: expect.stringMatching(/valid credentials into credentials_file/),
    },
  });
}, 60_000);

test('the least rights are access rules of an application credential', async () => {
  const { access_rules } = JSON.parse(await unik.ok(['provider', 'policy', 'openstack'])) as {
    access_rules: unknown[];
  };
  expect(access_rules).toContainEqual({ service: 'compute', method: 'POST', path: '/v2.1/servers' });
  expect(access_rules).toContainEqual({ service: 'network', method: 'DELETE', path: '/v2.0/ports/*' });
});

test('credentials are in nothing that was said or kept', async () => {
  said.push(await commandLines());
  said.push(...(await textsBelow(unik.home, /\.(raw|erofs)$|(kernel|initr)[^/]*$/)));
  expect(said.length).toBeGreaterThan(5);
  for (const secret of [PASSWORD, 'gAAAAA']) expect(said.join('\n')).not.toContain(secret);
});
