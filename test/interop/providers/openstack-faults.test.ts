import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../../core/clock.js';
import { createLog, noLog } from '../../../core/log.js';
import type { OpenStackConfig } from '../../../executor/providers/openstack/config.js';
import { createOpenStackProvider } from '../../../executor/providers/openstack/index.js';
import { CALLS } from '../../../executor/providers/openstack/policy.js';
import type { Finding } from '../../../executor/providers/provider.js';
import type { RemoteProvider } from '../../../executor/remote/remote.js';
import { FaultBench, never, OWNER } from '../../support/elsewhere/fault-bench.js';
import { leakRun } from '../../support/elsewhere/leaks.js';
import { commandLines, textsBelow } from '../../support/exposed.js';
import { failure } from '../../support/failure.js';
import { cloudConfig } from '../../support/openstack/cloud-config.js';
import { APP_ID, APP_SECRET, PASSWORD } from '../../support/openstack/keystone.js';
import { OpenStackPeer, type Fault } from '../../support/openstack/peer.js';
import { PACE } from '../../support/remote.js';

const OPERATIONS = Number(process.env['UNIK_LEAK_OPERATIONS'] ?? 30);

// Servers here are only told about: what counts is what is asked of the cloud, and what is left there.
let stand: FaultBench;
let peer: OpenStackPeer;

beforeAll(async () => {
  stand = await FaultBench.open();
  peer = await OpenStackPeer.open(undefined, join(stand.dir, 'openstack'));
}, 180_000);
afterEach(() => {
  peer.fault = () => undefined;
  peer.keystone.token_ms = 3_600_000;
  peer.keystone.roles = ['member', 'reader'];
  Object.assign(peer.nova, { instances: 10, page: 1_000, noHost: false });
  peer.neutron.quota = 100;
  peer.glance.quota = Infinity;
});
afterAll(async () => {
  await stand.close(peer);
});

const config = (more: Partial<OpenStackConfig> = {}): Promise<OpenStackConfig> => cloudConfig(stand.dir, peer, more);
const make = (given: OpenStackConfig, log = noLog): RemoteProvider => {
  const parts = { home: stand.home, clock: systemClock, log, pace: PACE, consistency_ms: 1_000 };
  return stand.use(createOpenStackProvider({ ...parts, config: given }));
};
/** Our object over the same state, as after a restart. */
const restart = async (more: Partial<OpenStackConfig> = {}): Promise<RemoteProvider> => {
  stand.closeLast();
  return make(await config(more));
};
const servers = (): string[] => [...peer.nova.servers.keys()];
/** The first `times` calls of this kind meet the fault. */
const meet = (call: string, fault: Fault, times = 1): void => {
  let met = 0;
  peer.fault = (called) => (called === call && ++met <= times ? fault : undefined);
};
const clear = async (provider: RemoteProvider): Promise<void> => {
  for (const handle of await provider.list(OWNER)) await provider.destroy(handle);
  await provider.collect(OWNER);
  expect(peer.all()).toEqual([]);
};

test('a disk is uploaded once, as what Nova needs, and gc leaves none that no machine is a copy of', async () => {
  const provider = await restart();
  const one = await provider.start(stand.spec(), never());
  const two = await provider.start(stand.spec(), never());
  const [image, ...others] = [...peer.glance.images.values()];
  expect(others).toEqual([]);
  expect(image).toMatchObject({
    ...{ status: 'active', disk_format: 'qcow2', visibility: 'private', min_disk: 1 },
    ...{ hw_disk_bus: 'virtio', hw_vif_model: 'virtio', os_shutdown_timeout: '0', unik_owner: OWNER },
  });
  await provider.destroy(one);
  expect(await provider.collect(OWNER)).toEqual([]);
  await provider.destroy(two);
  expect(await provider.collect(OWNER)).toEqual([image?.id]);
  expect(peer.all()).toEqual([]);
  expect(await readdir(join(stand.home, 'uploads'))).toEqual([]);
}, 120_000);

test.each(['nova POST /servers', 'neutron POST /ports', 'glance POST /images', 'glance PUT /images/{id}/file'])(
  'a lost answer to %s makes one server, port and image',
  async (call) => {
    meet(call, 'drop');
    const provider = await restart();
    const handle = await provider.start(stand.spec(), never());
    expect(servers()).toEqual([handle.data['id']]);
    expect([peer.neutron.ports.size, peer.glance.images.size]).toEqual([1, 1]);
    await clear(provider);
  },
  120_000,
);

test('an order that was lost, and one after our own end, find the server that there is', async () => {
  meet('nova POST /servers', 'drop', 9);
  const provider = await restart();
  const wanted = stand.spec();
  const handle = await provider.start(wanted, never());
  expect(peer.calls.filter((call) => call === 'nova POST /servers').length).toBeGreaterThan(0);
  expect(servers()).toEqual([handle.data['id']]);
  await rm(join(stand.home, 'machines'), { recursive: true });
  const after = await restart();
  const again = await after.start(wanted, never());
  expect(again.data['id']).toBe(handle.data['id']);
  expect(servers()).toHaveLength(1);
  await clear(after);
}, 120_000);

test.each(['throttle', 'busy', 'error', 'cut'] as const)(
  'each kind of call may meet `%s` once: it is asked again, and nothing is made twice',
  async (fault) => {
    const seen = new Set<string>();
    peer.fault = (call) => {
      if (seen.has(call)) return undefined;
      seen.add(call);
      return fault;
    };
    const provider = await restart();
    const handle = await provider.start(stand.spec(), never());
    expect(servers()).toEqual([handle.data['id']]);
    expect(seen).toContain('nova POST /servers');
    await provider.destroy(handle);
    peer.fault = () => undefined;
    await clear(provider);
  },
  120_000,
);

test('a token that is revoked or near its end is renewed, once for all calls', async () => {
  const provider = await restart();
  await provider.list(OWNER);
  const before = peer.keystone.logins;
  peer.keystone.revoke();
  await Promise.all([provider.list(OWNER), provider.list(OWNER), provider.list(OWNER)]);
  expect(peer.keystone.logins).toBe(before + 1);
  peer.keystone.token_ms = 1_000;
  peer.keystone.revoke();
  await provider.list(OWNER);
  await new Promise((resolve) => setTimeout(resolve, 700));
  const asked = peer.calls.length;
  await provider.list(OWNER);
  // Renewed before it was refused.
  expect(peer.calls.slice(asked)).toEqual(['keystone POST /auth/tokens', 'nova GET /servers/detail']);
});

test('an application credential lets in, alone or in clouds.yaml', async () => {
  const auth = {
    auth_url: peer.auth_url,
    application_credential_id: APP_ID,
    application_credential_secret: APP_SECRET,
  };
  const file = join(stand.dir, 'app.json');
  for (const document of [auth, { clouds: { apps: { auth, auth_type: 'v3applicationcredential' } } }]) {
    await writeFile(file, JSON.stringify(document));
    expect(await (await restart({ credentials_file: file })).list(OWNER)).toEqual([]);
  }
  await writeFile(file, JSON.stringify({ ...auth, application_credential_secret: 'of-old' }));
  const refused = await failure(async () => (await restart({ credentials_file: file })).list(OWNER));
  expect(refused).toMatchObject({ code: 'provider_unavailable', message: expect.stringMatching(/401.*Unauthorized/) });
});

const limits: [string, () => void, string, RegExp][] = [
  ['instances', () => void (peer.nova.instances = 0), 'insufficient_machines', /Quota exceeded for instances/],
  ['ports', () => void (peer.neutron.quota = 0), 'insufficient_machines', /OverQuota.*'port'/],
  ['images', () => void (peer.glance.quota = 0), 'insufficient_disk', /413.*exceeds the quota/],
  ['hosts', () => void (peer.nova.noHost = true), 'insufficient_machines', /No valid host was found/],
];
test.each(limits)(
  'too few %s: told as such, and nothing is left',
  async (_, short, code, words) => {
    short();
    const provider = await restart();
    expect(await failure(() => provider.start(stand.spec(), never()))).toMatchObject({
      code,
      message: expect.stringMatching(words),
    });
    expect(peer.left()).toEqual([]);
    await clear(provider);
  },
  60_000,
);

test('all pages of the servers are read', async () => {
  const provider = await restart();
  for (let n = 0; n < 3; n++) await provider.start(stand.spec(), never());
  peer.nova.page = 1;
  await rm(join(stand.home, 'machines'), { recursive: true });
  const after = await restart();
  expect(await after.list(OWNER)).toHaveLength(3);
  await clear(after);
}, 60_000);

test('while Nova is away no machine counts as ended', async () => {
  const provider = await restart();
  const handle = await provider.start(stand.spec(), never());
  const watch = new AbortController();
  const exit = provider.exits(handle, watch.signal).then(
    () => 'ended',
    () => 'watched enough',
  );
  peer.fault = (call) => (call.startsWith('nova') ? 'cut' : undefined);
  await new Promise((resolve) => setTimeout(resolve, PACE.appear_ms ?? 0));
  peer.fault = () => undefined;
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  watch.abort(new Error('enough'));
  expect(await exit).toBe('watched enough');
  await clear(provider);
}, 60_000);

const probe = async (provider: RemoteProvider): Promise<{ healthy: boolean; wrong: Finding[] }> => {
  const { healthy, findings } = await provider.probe(never());
  return { healthy, wrong: findings.filter(({ status }) => status !== 'ok') };
};

test('the probe finds nothing where nothing is wrong, and says how much is left', async () => {
  const { healthy, findings } = await (
    await restart({ flavors: ['m1.tiny'], availability_zone: 'nova' })
  ).probe(never());
  expect([healthy, findings.filter(({ status }) => status !== 'ok')]).toEqual([true, []]);
  expect(findings.map(({ name, detail }) => `${name}: ${detail}`).join('\n')).toMatch(/quota: 0 of 10 instances/);
});

const wrongs: [string, () => Promise<RemoteProvider> | RemoteProvider, RegExp, RegExp][] = [
  [
    'credentials',
    async () => {
      const file = join(stand.dir, 'wrong.json');
      const auth = { auth_url: peer.auth_url, username: 'unik', project_name: 'apps', password: 'of-old' };
      await writeFile(file, JSON.stringify(auth));
      return restart({ credentials_file: file });
    },
    ...([/reach and credentials/, /valid credentials into credentials_file/] as const),
  ],
  ['auth_url', () => restart({ auth_url: 'http://127.0.0.1:9/v3' }), /reach/, /auth_url.*way to Keystone/],
  ['region', () => restart({ region_name: 'Nowhere' }), /compute in the catalogue/, /region_name/],
  ['network', () => restart({ network: 'nowhere' }), /network nowhere/, /openstack network list/],
  ['group', () => restart({ security_groups: ['none'] }), /security group none/, /security group list/],
  ['flavor', () => restart({ flavors: ['huge'] }), /flavors/, /openstack flavor list/],
  ['zone', () => restart({ availability_zone: 'mars' }), /zone mars/, /availability zone list/],
  ['server group', () => restart({ server_group: 'none' }), /server group none/, /server group create/],
  ['roles', () => ((peer.keystone.roles = ['reader']), restart()), /right to make machines/, /role add .* member/],
  ['quota', () => ((peer.nova.instances = 0), restart()), /quota/, /quota set --instances/],
  ...(['nova GET /servers/detail', 'glance GET /images', 'neutron GET /ports'] as const).map(
    (call): (typeof wrongs)[number] => [
      call,
      () => ((peer.fault = (called) => (called === call ? 'forbidden' : undefined)), restart()),
      ...([
        /right (os_compute_api:servers:detail|get_images|get_port)$/,
        /role member.*provider policy openstack/,
      ] as const),
    ],
  ),
];
test.each(wrongs)(
  'a wrong or missing %s is found, with its remedy',
  async (_, broken, name, fix) => {
    const { wrong } = await probe(await broken());
    expect(wrong[0]).toMatchObject({ name: expect.stringMatching(name), fix: expect.stringMatching(fix) });
  },
  60_000,
);

test('credentials are in no record, error, log or command line', async () => {
  const said: string[] = [];
  const log = createLog('test', 'trace', join(stand.home, 'all.log'));
  const file = join(stand.dir, 'old.json');
  const auth = { auth_url: peer.auth_url, username: 'unik', project_name: 'apps', password: `${PASSWORD}-of-old` };
  await writeFile(file, JSON.stringify(auth), { mode: 0o600 });
  const refused = await failure(async () =>
    make(await config({ credentials_file: file }), log).start(stand.spec(), never()),
  );
  await writeFile(file, `auth: [${PASSWORD}`);
  const broken = await failure(async () =>
    make(await config({ credentials_file: file }), log).start(stand.spec(), never()),
  );
  expect([refused.code, broken.code]).toEqual(['provider_unavailable', 'config_invalid']);
  const provider = make(await config(), log);
  const handle = await provider.start(stand.spec(), never());
  peer.fault = (call) => (call === 'nova GET /servers/detail' ? 'forbidden' : undefined);
  const forbidden = await failure(() => provider.list(OWNER));
  peer.fault = () => undefined;
  said.push(JSON.stringify([refused, broken, forbidden, handle, await provider.probe(never())]));
  said.push(...[refused, broken, forbidden].map(({ stack }) => String(stack)));
  said.push(await commandLines(), ...(await textsBelow(stand.home)));
  await clear(provider);
  // Tokens begin so.
  for (const secret of [PASSWORD, 'hunter2-hunter2', 'gAAAAA']) expect(said.join('\n')).not.toContain(secret);
}, 60_000);

test(`${OPERATIONS} operations with faults and kills leave nothing that our lists do not show, and nothing after gc`, async () => {
  const faults = ['error', 'drop', 'cut', { delay_ms: 200 }] as const;
  peer.nova.instances = 1_000;
  const given = await config();
  await leakRun(
    {
      ...{ owner: OWNER, home: stand.home, spec: stand.spec },
      restart() {
        stand.closeLast();
        return make(given);
      },
      trouble(random) {
        peer.fault = () => (random && random() < 0.03 ? faults[Math.floor(random() * faults.length)] : undefined);
      },
      machines: () => Promise.resolve(servers()),
      left: () => Promise.resolve(peer.all()),
    },
    OPERATIONS,
  );
}, 600_000);

test('all that was called is among the access rules that are printed, and nothing else is', () => {
  const rules = Object.entries({ nova: CALLS.compute, glance: CALLS.image, neutron: CALLS.network }).flatMap(
    ([service, calls]) => calls.map((call) => `${service} ${call}`),
  );
  const called = new Set(
    peer.calls.filter((call) => !call.startsWith('keystone')).map((call) => call.replace('/none', '/{id}')),
  );
  expect([...called].filter((call) => !rules.includes(call))).toEqual([]);
  // These are of machines that run.
  const of_running = 'nova POST /servers/{id}/action';
  expect(rules.filter((rule) => !called.has(rule) && rule !== of_running)).toEqual([]);
});
