import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../../core/clock.js';
import { createLog, noLog } from '../../../core/log.js';
import { vsphereConfigSchema } from '../../../executor/providers/vsphere/config.js';
import { createVSphereProvider } from '../../../executor/providers/vsphere/index.js';
import type { RemoteProvider } from '../../../executor/remote/remote.js';
import { FaultBench, never, OWNER } from '../../support/elsewhere/fault-bench.js';
import { leakRun } from '../../support/elsewhere/leaks.js';
import { vsphereSettings } from '../../support/elsewhere/vsphere.js';
import { commandLines, textsBelow } from '../../support/exposed.js';
import { failure } from '../../support/failure.js';
import { describePeer } from '../../support/peers.js';
import { PACE } from '../../support/remote.js';
import { PASSWORD, USERNAME, VSpherePeer } from '../../support/vsphere-peer.js';

const OPERATIONS = Number(process.env['UNIK_LEAK_OPERATIONS'] ?? 200);

// Machines here are only told about: what counts is what is asked of vSphere, and what is left there.
describePeer('vsphere, calls that fail', ['vcsim'], () => {
  let stand: FaultBench;
  let peer: VSpherePeer;
  let settings: Record<string, unknown>;

  beforeAll(async () => {
    stand = await FaultBench.open();
    peer = await VSpherePeer.open(undefined, join(stand.dir, 'vsphere'));
    const addresses = { subnet: '10.98.0.0/16', first: '10.98.0.10', last: '10.98.3.250' };
    settings = await vsphereSettings(stand.dir, peer, addresses);
  }, 180_000);
  afterEach(() => {
    peer.fault = () => undefined;
  });
  afterAll(async () => {
    await stand.close(peer);
  });

  /** Our object over the same state, as after a restart. */
  const restart = (log = noLog, over: object = {}): RemoteProvider => {
    stand.closeLast();
    const config = vsphereConfigSchema.parse({ ...settings, ...over });
    return stand.use(createVSphereProvider({ config, home: stand.home, clock: systemClock, log, pace: PACE }));
  };

  test('a disk is uploaded once, and gc leaves none that no machine is a copy of', async () => {
    const provider = restart();
    const one = await provider.start(stand.spec(), never());
    const two = await provider.start(stand.spec(), never());
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
      const wanted = stand.spec();
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
    const log = createLog('test', 'trace', join(stand.home, 'all.log'));
    const wrong = join(stand.dir, 'wrong.json');
    await writeFile(wrong, JSON.stringify({ username: USERNAME, password: `${PASSWORD}-of-old` }), { mode: 0o600 });
    const refused = await failure(() => restart(log, { credentials_file: wrong }).start(stand.spec(), never()));
    expect(refused).toMatchObject({ code: 'provider_unavailable' });
    const provider = restart(log);
    const handle = await provider.start(stand.spec(), never());
    said.push(JSON.stringify([refused, handle, await provider.probe(never())]), String(refused.stack));
    said.push(await commandLines(), ...(await textsBelow(stand.home)));
    await provider.destroy(handle);
    for (const secret of [PASSWORD, 'hunter2-hunter2']) expect(said.join('\n')).not.toContain(secret);
  }, 60_000);

  test(`${OPERATIONS} operations with faults and kills leave nothing that our lists do not show, and nothing after gc`, async () => {
    const faults = ['error', 'drop', { delay_ms: 200 }] as const;
    await leakRun(
      {
        ...{ owner: OWNER, home: stand.home, restart, spec: stand.spec },
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
