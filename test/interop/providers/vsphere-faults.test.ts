import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../core/clock.js';
import { createLog } from '../../../core/log.js';
import { vsphereConfigSchema, type VSphereConfig } from '../../../executor/providers/vsphere/config.js';
import { createVSphereProvider } from '../../../executor/providers/vsphere/index.js';
import type { RemoteProvider } from '../../../executor/remote/remote.js';
import { leakRun } from '../../support/elsewhere/leaks.js';
import { failure } from '../../support/failure.js';
import { describePeer } from '../../support/peers.js';
import { makeBench, makeSpec, open, type Bench } from '../../support/qemu.js';
import { PACE } from '../../support/remote.js';
import { PASSWORD, USERNAME, VSpherePeer } from '../../support/vsphere-peer.js';

const OWNER = 'leak/cell';
const OPERATIONS = Number(process.env['UNIK_LEAK_OPERATIONS'] ?? 200);
const never = (): AbortSignal => new AbortController().signal;

// Machines here are only told about: what counts is what is asked of vSphere, and what is left there.
describePeer('vsphere, calls that fail', ['vcsim'], () => {
  let bench: Bench;
  let peer: VSpherePeer;
  let home: string;
  let credentials: string;
  let serial = 0;
  const providers: RemoteProvider[] = [];

  beforeAll(async () => {
    bench = await makeBench();
    peer = await VSpherePeer.open(undefined, join(bench.dir, 'vsphere'));
    home = join(await mkdtemp(join(tmpdir(), 'unik-vsphere-')), 'home');
    await mkdir(home);
    credentials = join(bench.dir, 'credentials.json');
    await writeFile(credentials, JSON.stringify({ username: USERNAME, password: PASSWORD }), { mode: 0o600 });
  }, 180_000);
  afterEach(() => {
    peer.fault = () => undefined;
  });
  afterAll(async () => {
    for (const provider of providers) provider.close();
    await peer.close();
    await bench.close();
    await rm(join(home, '..'), { recursive: true, force: true });
  });

  const config = (over: object = {}): VSphereConfig =>
    vsphereConfigSchema.parse({
      ...{ url: peer.url, credentials_file: credentials, datacenter: 'DC0', resource_pool: 'DC0_C0/Resources' },
      ...{ network: 'VM Network', datastore: 'LocalDS_0' },
      addresses: { subnet: '10.98.0.0/16', first: '10.98.0.10', last: '10.98.3.250' },
      ...over,
    });
  const make = (given: VSphereConfig, log = createLog('test', 'silent')): RemoteProvider => {
    const made = createVSphereProvider({ config: given, home, clock: systemClock, log, pace: PACE });
    providers.push(made);
    return made;
  };
  /** Our object over the same state, as after a restart. */
  const restart = (): RemoteProvider => {
    providers.at(-1)?.close();
    return make(config());
  };
  const spec = (key = `leak-${String(++serial)}`) =>
    makeSpec(bench, 'deaf', { key, owner: OWNER }, { mode: 'provider', ...open });

  test('a disk is uploaded once, and gc leaves none that no machine is a copy of', async () => {
    const provider = restart();
    const one = await provider.start(spec(), never());
    const two = await provider.start(spec(), never());
    const masters = async (): Promise<string[]> => (await peer.left()).filter((path) => path.startsWith('unik/disks/'));
    expect((await masters()).filter((path) => path.endsWith('-flat.vmdk'))).toHaveLength(1);
    await provider.destroy(one);
    expect(await provider.collect(OWNER)).toEqual([]);
    await provider.destroy(two);
    expect(await provider.collect(OWNER)).toHaveLength(1);
    expect(await peer.left()).toEqual([]);
  }, 120_000);

  test.each(['CreateVM_Task', 'PowerOnVM_Task', 'CopyVirtualDisk_Task'])(
    'a lost answer to %s leaves one machine at most, which is in our lists',
    async (method) => {
      let lost = 0;
      peer.fault = (called) => (called === method && ++lost === 1 ? 'drop' : undefined);
      const provider = restart();
      const wanted = spec();
      await provider.start(wanted, never()).catch(() => undefined);
      const handle = await provider.start(wanted, never());
      expect(await peer.vms()).toEqual([handle.data['id']]);
      await provider.destroy(handle);
      await provider.collect(OWNER);
      expect(await peer.left()).toEqual([]);
    },
    120_000,
  );

  test('credentials are in no record, error, log or command line', async () => {
    const said: string[] = [];
    const log = createLog('test', 'trace', join(home, 'all.log'));
    const wrong = join(bench.dir, 'wrong.json');
    await writeFile(wrong, JSON.stringify({ username: USERNAME, password: `${PASSWORD}-of-old` }), { mode: 0o600 });
    const refused = await failure(() => make(config({ credentials_file: wrong }), log).start(spec(), never()));
    expect(refused).toMatchObject({ code: 'provider_unavailable' });
    const provider = make(config(), log);
    const handle = await provider.start(spec(), never());
    said.push(JSON.stringify([refused, handle, await provider.probe(never())]), String(refused.stack));
    said.push((await execa('ps', ['-eo', 'args'])).stdout);
    for (const file of await readdir(home, { recursive: true, withFileTypes: true })) {
      const path = join(file.parentPath, file.name);
      if (file.isFile() && !path.endsWith('.raw')) said.push(await readFile(path, 'latin1'));
    }
    await provider.destroy(handle);
    for (const secret of [PASSWORD, 'hunter2-hunter2']) expect(said.join('\n')).not.toContain(secret);
  }, 60_000);

  test(`${OPERATIONS} operations with faults and kills leave nothing that our lists do not show, and nothing after gc`, async () => {
    const faults = ['error', 'drop', { delay_ms: 200 }] as const;
    await leakRun(
      {
        ...{ owner: OWNER, home, restart, spec },
        trouble(random) {
          peer.fault = () => (random && random() < 0.03 ? faults[Math.floor(random() * faults.length)] : undefined);
        },
        machines: () => peer.vms(),
        left: () => peer.left(),
      },
      OPERATIONS,
    );
  }, 900_000);
});
