import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../../core/clock.js';
import { createLog, noLog } from '../../../core/log.js';
import { awsConfigSchema } from '../../../executor/providers/aws/config.js';
import { createAwsProvider } from '../../../executor/providers/aws/index.js';
import type { RemoteProvider } from '../../../executor/remote/remote.js';
import { ACCESS_KEY, AwsPeer, SECRET_KEY } from '../../support/aws-peer.js';
import { awsSettings } from '../../support/elsewhere/aws.js';
import { FaultBench, never, OWNER } from '../../support/elsewhere/fault-bench.js';
import { leakRun } from '../../support/elsewhere/leaks.js';
import { commandLines, textsBelow } from '../../support/exposed.js';
import { failure } from '../../support/failure.js';
import { describePeer } from '../../support/peers.js';
import { PACE } from '../../support/remote.js';

/** Of the long run: test/interop/long/aws-faults.test.ts. */
const OPERATIONS = Number(process.env['UNIK_LEAK_OPERATIONS'] ?? 0);

// Instances here are only told about: what counts is what is asked of EC2, and what is left there.
describePeer('aws, calls that fail', ['moto'], () => {
  let stand: FaultBench;
  let peer: AwsPeer;
  let settings: Record<string, unknown>;

  beforeAll(async () => {
    stand = await FaultBench.open();
    peer = await AwsPeer.open(undefined, join(stand.dir, 'aws'));
    peer.boot = false;
    settings = await awsSettings(stand.dir, peer);
  }, 180_000);
  afterEach(() => {
    peer.fault = () => undefined;
    peer.refuse = undefined;
    peer.hidden_ms = 0;
  });
  afterAll(async () => {
    await stand.close(peer);
  });

  /** Our object over the same state, as after a restart. */
  const restart = (log = noLog, over: object = {}): RemoteProvider => {
    stand.closeLast();
    const config = awsConfigSchema.parse({ ...settings, ...over });
    const parts = { config, home: stand.home, clock: systemClock, log, pace: PACE };
    return stand.use(createAwsProvider({ ...parts, consistency_ms: 1_500 }));
  };

  test('an image becomes an upload of its non-zero blocks, once', async () => {
    const provider = restart();
    const one = await provider.start(stand.spec(), never());
    const two = await provider.start(stand.spec(), never());
    const [snapshot] = [...peer.snapshots.values()];
    const [disk = ''] = await readdir(join(stand.home, 'disks'));
    const raw = await readFile(join(stand.home, 'disks', disk));
    const blocks = Array.from({ length: Math.ceil(raw.length / 524_288) }, (_, n) =>
      raw.subarray(n * 524_288, (n + 1) * 524_288).some((byte) => byte !== 0),
    ).filter(Boolean).length;
    expect(peer.snapshots.size).toBe(1);
    expect(snapshot?.bytes).toBe(blocks * 524_288);
    expect(peer.calls.filter((call) => call === 'PutSnapshotBlock')).toHaveLength(blocks);
    for (const handle of [one, two]) await provider.destroy(handle);
    expect((await provider.collect(OWNER)).length).toBe(2);
    expect([await peer.count('DescribeImages'), [...peer.snapshots.keys()]]).toEqual([[], []]);
  }, 120_000);

  test('an upload that broke off is gone on with, by another process, without a second snapshot', async () => {
    let puts = 0;
    peer.fault = (action) => (action === 'PutSnapshotBlock' && ++puts > 20 ? { delay_ms: 600_000 } : undefined);
    const enough = new AbortController();
    const broken = restart().start(stand.spec('upload'), enough.signal);
    while (puts < 30) await new Promise((resolve) => setTimeout(resolve, 20));
    enough.abort(new Error('enough'));
    await expect(broken).rejects.toThrow();
    peer.fault = () => undefined;
    const before = peer.calls.length;
    const provider = restart();
    const handle = await provider.start(stand.spec('upload'), never());
    expect(peer.calls.slice(before).filter((call) => call === 'StartSnapshot')).toEqual([]);
    expect(peer.snapshots.size).toBe(1);
    await provider.destroy(handle);
  }, 120_000);

  test('gc takes free volumes of ours that no instance has, and nobody else’s', async () => {
    const provider = restart();
    const handle = await provider.start(stand.spec(), never());
    const [ours, kept, theirs] = await Promise.all([
      peer.freeVolume({ 'unik:owner': OWNER, 'unik:key': 'long-gone' }),
      peer.freeVolume({ 'unik:owner': OWNER, 'unik:key': handle.key }),
      peer.freeVolume({ 'unik:owner': 'somebody/else', 'unik:key': handle.key }),
    ]);
    expect(await provider.collect(OWNER)).toEqual([ours]);
    await provider.destroy(handle);
    expect(await provider.collect(OWNER)).toContain(kept);
    expect(await peer.left()).toEqual([theirs]);
    await peer.deleteVolume(theirs);
  }, 60_000);

  test('a lost answer makes one instance, however often it is asked', async () => {
    let runs = 0;
    peer.fault = (action) => (action === 'RunInstances' && ++runs <= 2 ? 'drop' : undefined);
    const provider = restart();
    const handle = await provider.start(stand.spec(), never());
    expect(runs).toBe(3);
    expect(await peer.count('DescribeInstances')).toHaveLength(1);
    await provider.destroy(handle);
    expect(await peer.count('DescribeInstances')).toEqual([]);
  }, 60_000);

  test.each([
    ['AuthFailure', 'provider_unavailable', /credentials/],
    ['ExpiredToken', 'provider_unavailable', /expired/],
    ['UnauthorizedOperation', 'provider_unavailable', /policy aws/],
  ] as const)('%s is told as such, by the start and by the probe with its remedy', async (refusal, code, fix) => {
    peer.refuse = refusal;
    const provider = restart();
    expect(await failure(() => provider.start(stand.spec(), never()))).toMatchObject({ code });
    const { healthy, findings } = await provider.probe(never());
    expect(healthy).toBe(false);
    expect(findings.find(({ status }) => status === 'error')?.fix).toMatch(fix);
  });

  test.each(['InstanceLimitExceeded', 'VcpuLimitExceeded', 'InsufficientInstanceCapacity'])(
    'a quota that is used up (%s) is want of machines, and leaves nothing',
    async (refusal) => {
      peer.fault = (action) => (action === 'RunInstances' ? { refuse: refusal } : undefined);
      const provider = restart();
      const wanted = stand.spec();
      expect(await failure(() => provider.start(wanted, never()))).toMatchObject({ code: 'insufficient_machines' });
      expect((await provider.list(OWNER)).map(({ key }) => key)).not.toContain(wanted.key);
      expect(await peer.count('DescribeInstances')).toEqual([]);
    },
    60_000,
  );

  test('an API that is down ends no machine: it is taken for running until it is known to have ended', async () => {
    const provider = restart();
    const handle = await provider.start(stand.spec(), never());
    let ended = false;
    void provider.exits(handle, never()).then(() => (ended = true));
    let asked = 0;
    peer.fault = () => (asked++, 'error');
    while (asked < 8) await new Promise((resolve) => setTimeout(resolve, 50));
    expect(ended).toBe(false);
    peer.fault = () => undefined;
    await peer.lose(String(handle.data['id']));
    expect(await provider.exits(handle, never())).toMatchObject({ reason: expect.any(String) });
    await provider.destroy(handle);
  }, 60_000);

  test('the probe finds what is wrong with subnet and groups, and nothing where nothing is', async () => {
    const provider = restart();
    const { healthy, findings } = await provider.probe(never());
    expect([healthy, findings.filter(({ status }) => status === 'error')]).toEqual([true, []]);
    const probe = await restart(noLog, { subnet_id: 'subnet-0123456789abcdef0' }).probe(never());
    expect(probe.findings.find(({ name }) => name.includes('subnet'))).toMatchObject({ status: 'error' });
  });

  test('credentials are in no record, error, log or command line', async () => {
    const said: string[] = [];
    // Its file is read with all others of this home.
    const provider = restart(createLog('test', 'trace', join(stand.home, 'all.log')));
    peer.refuse = 'AuthFailure';
    const refused = await failure(() => provider.start(stand.spec(), never()));
    peer.refuse = undefined;
    const handle = await provider.start(stand.spec(), never());
    said.push(JSON.stringify([refused, handle, await provider.probe(never())]), String(refused.stack));
    said.push(await commandLines(), ...(await textsBelow(stand.home)));
    await provider.destroy(handle);
    for (const secret of [SECRET_KEY, ACCESS_KEY, 'hunter2-hunter2']) expect(said.join('\n')).not.toContain(secret);
  }, 60_000);

  const long = OPERATIONS > 0 ? test : undefined;
  long?.(
    `${OPERATIONS} operations with faults and kills leave nothing that our lists do not show, and nothing after gc`,
    async () => {
      const faults = ['throttle', 'error', 'drop', { delay_ms: 200 }] as const;
      await leakRun(
        {
          ...{ owner: OWNER, home: stand.home, restart, spec: stand.spec },
          trouble(random) {
            peer.hidden_ms = random ? 500 : 0;
            peer.fault = () => (random && random() < 0.06 ? faults[Math.floor(random() * faults.length)] : undefined);
          },
          machines: () => peer.count('DescribeInstances'),
          left: () => peer.left(),
        },
        OPERATIONS,
      );
    },
    900_000,
  );
});
