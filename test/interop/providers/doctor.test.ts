/** `unik doctor` of providers that are configured: what is well, and for what is not, the right by its name and the remedy. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Finding } from '../../../executor/providers/provider.js';
import { ACCESS_KEY, AwsPeer, SECRET_KEY } from '../../support/aws-peer.js';
import { PROGRAM } from '../../support/elsewhere/virtualbox.js';
import { commandLines, textsBelow } from '../../support/exposed.js';
import { describePeer } from '../../support/peers.js';
import { makeUnik, root, until, type Unik } from '../../support/unik.js';
import { PASSWORD, USERNAME, VSpherePeer } from '../../support/vsphere-peer.js';

describePeer('doctor', ['moto', 'vcsim'], () => {
  let dir: string;
  let unik: Unik;
  let aws: AwsPeer;
  let vsphere: VSpherePeer;
  const said: string[] = [];

  const keys = (secret: string): Promise<void> =>
    writeFile(join(dir, 'aws.json'), JSON.stringify({ access_key_id: ACCESS_KEY, secret_access_key: secret }));
  const account = (password: string): Promise<void> =>
    writeFile(join(dir, 'vsphere.json'), JSON.stringify({ username: USERNAME, password }));
  const standin = (facts: object): Promise<void> =>
    writeFile(join(dir, 'virtualbox/setup.json'), JSON.stringify({ major: 7, enter: [], ...facts }));

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'unik-doctor-'));
    await mkdir(join(dir, 'virtualbox'));
    aws = await AwsPeer.open(undefined, join(dir, 'moto'));
    aws.boot = false;
    vsphere = await VSpherePeer.open(undefined, join(dir, 'vcsim'));
    await Promise.all([keys(SECRET_KEY), account(PASSWORD), standin({})]);
    unik = await makeUnik({ env: { VBOX_STANDIN: join(dir, 'virtualbox') } });
    const config = {
      providers: ['aws', 'vsphere', 'virtualbox'],
      provider_options: {
        aws: {
          ...{ region: 'us-east-1', endpoint: aws.endpoint, credentials_file: join(dir, 'aws.json') },
          ...{ subnet_id: aws.subnet, security_group_ids: [aws.group] },
        },
        vsphere: {
          ...{ url: vsphere.url, credentials_file: join(dir, 'vsphere.json'), datacenter: 'DC0' },
          ...{ resource_pool: 'DC0_C0/Resources', network: 'VM Network', datastore: 'LocalDS_0' },
          addresses: { subnet: '10.98.0.0/24', first: '10.98.0.10', last: '10.98.0.19' },
        },
        virtualbox: { vboxmanage: PROGRAM },
      },
    };
    await writeFile(join(unik.home, 'config.json'), JSON.stringify(config));
  }, 60_000);
  afterEach(async () => {
    aws.forbidden = [];
    aws.refuse = undefined;
    vsphere.forbidden = [];
    await Promise.all([account(PASSWORD), standin({})]);
  });
  afterAll(async () => {
    await unik.close();
    await aws.close();
    await vsphere.close();
    await rm(dir, { recursive: true, force: true });
  });

  /** Findings of the three, by name. */
  const findings = async (): Promise<Map<string, Finding>> => {
    const { stdout, stderr } = await unik(['doctor', '--json']);
    said.push(stdout, stderr);
    const all = (JSON.parse(stdout) as { findings: Finding[] }).findings;
    return new Map(all.filter(({ name }) => /aws|vsphere|virtualbox/.test(name)).map((one) => [one.name, one]));
  };

  test('where all is well, each names how it was reached, its rights and how much there is', async () => {
    const found = await findings();
    expect([...found.values()].filter(({ status }) => status !== 'ok')).toEqual([]);
    const told = [...found].map(([name, { detail }]) => `${name}: ${detail}`).join('\n');
    for (const name of ['aws', 'vsphere', 'virtualbox']) expect(found.get(`provider ${name}`)?.status).toBe('ok');
    expect(told).toMatch(/aws reach and credentials: ok/);
    expect(told).toMatch(/aws right ec2:RunInstances: ok/);
    expect(told).toMatch(/aws quota: /);
    expect(told).toMatch(/vsphere rights on datacenter: all 8/);
    expect(told).toMatch(/vsphere space: [\d.]+ GB free/);
    expect(told).toMatch(/vsphere quota: addresses for 10 machines/);
    expect(told).toMatch(/virtualbox program: 7\.0\.20r163906/);
    expect(told).toMatch(/virtualbox quota: addresses for 80 machines/);
  });

  test.each(['DescribeImages', 'DescribeSnapshots', 'DescribeVolumes', 'RunInstances', 'RegisterImage'])(
    'a missing right ec2:%s is named, with the policy as remedy',
    async (call) => {
      aws.forbidden = [call];
      const found = await findings();
      const wrong = [...found.values()].filter(({ name, status }) => name.startsWith('aws') && status === 'error');
      expect(wrong.map(({ name }) => name)).toEqual([`aws right ec2:${call}`]);
      expect(wrong[0]?.fix).toContain('unik provider policy aws');
      expect(found.get('provider aws')?.status).toBe('error');
    },
  );

  test('missing privileges of vSphere are named, with the place where they are needed', async () => {
    vsphere.forbidden = ['Datastore.FileManagement', 'VirtualMachine.Interact.PowerOn'];
    const found = await findings();
    expect(found.get('vsphere rights on datastore')).toMatchObject({
      ...{ status: 'error', detail: expect.stringMatching(/missing: Datastore\.FileManagement$/) },
      fix: expect.stringMatching(/unik provider policy vsphere.*DC0\/datastore\/LocalDS_0/),
    });
    expect(found.get('vsphere rights on datacenter')?.detail).toMatch(/missing: VirtualMachine\.Interact\.PowerOn$/);
    expect(found.get('vsphere rights on network')?.status).toBe('ok');
  });

  test('what opens a provider is in nothing that inspect, ps, logs and gc say of its instances, nor in our home', async () => {
    await unik.ok(['build', join(root, 'samples/hello'), '-t', 'hello'], { timeout_ms: 200_000 });
    for (const provider of ['aws', 'vsphere']) {
      const order = ['run', '-d', '--no-wait', '--name', provider, '--disk', '64m', '--provider', provider];
      await unik.ok([...order, '--network', 'provider', '-e', 'TOLD=planted-in-the-environment', 'hello']);
    }
    const machines = async (): Promise<true | undefined> =>
      aws.living().length === 1 && (await vsphere.vms()).length === 1 ? true : undefined;
    await until('both are there', machines, 60_000);
    for (const args of [
      ['ps', '-a', '--json'],
      ['inspect', 'aws'],
      ['inspect', 'vsphere'],
      ['provider', 'ls'],
    ])
      said.push(await unik.ok(args));
    said.push(await commandLines());
    await unik.ok(['rm', '-f', 'aws', 'vsphere'], { timeout_ms: 120_000 });
    said.push(await unik.ok(['gc']));
    expect([await aws.left(), await vsphere.left()]).toEqual([[], []]);
    await nothingSaid();
  }, 300_000);

  test('refused credentials are told as such, and are in nothing that is said or kept', async () => {
    aws.refuse = 'AuthFailure';
    await account(`${PASSWORD}-of-old`);
    await unik(['down']);
    const found = await findings();
    expect(found.get('aws reach and credentials')?.fix).toMatch(/valid credentials/);
    expect(found.get('vsphere reach and credentials')?.fix).toMatch(/credentials_file/);
    said.push(await commandLines());
    await nothingSaid();
  });

  const nothingSaid = async (): Promise<void> => {
    said.push(...(await textsBelow(unik.home, /\.(raw|erofs)$|(kernel|initr)[^/]*$/)));
    for (const secret of [ACCESS_KEY, SECRET_KEY, PASSWORD]) expect(said.join('\n')).not.toContain(secret);
  };

  test('VirtualBox without its kernel module says what to install', async () => {
    await standin({ fail: 'no-module' });
    expect((await findings()).get('virtualbox program')).toMatchObject({
      ...{ status: 'error', fix: expect.stringMatching(/kernel module/) },
    });
  });

  test('the least rights are told of providers that are not configured', async () => {
    const bare = await makeUnik();
    try {
      const policy = await bare.ok(['provider', 'policy', 'aws']);
      for (const right of ['ec2:RunInstances', 'ebs:PutSnapshotBlock', 'ec2:DeleteVolume', 'ec2:DescribeVolumes'])
        expect(policy).toContain(right);
      expect(await bare.ok(['provider', 'policy', 'vsphere'])).toContain('VirtualMachine.Inventory.Create');
      expect((await bare(['provider', 'policy', 'photon'])).stderr).toMatch(/retired by its vendor/);
    } finally {
      await bare.close();
    }
  });
});
