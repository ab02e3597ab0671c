import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { hasRootfs, plan, type PlanInput } from '../../../backend/rep/perform.js';
import { workSchema } from '../../../backend/rep/work.js';

const lrp = (process_guid: string, MemoryMB: number, more: object = {}) => ({
  ...{ instance_guid: '', process_guid, index: 0, domain: 'cf-apps', PlacementTags: null, VolumeDrivers: null },
  ...{ RootFs: 'preloaded:unik', MemoryMB, DiskMB: 10, MaxPids: 0, state: '' },
  ...more,
});
const task = (TaskGuid: string, MemoryMB: number, more: object = {}) => ({
  ...{ TaskGuid, Domain: 'd', PlacementTags: null, VolumeDrivers: [], RootFs: 'preloaded:unik' },
  ...{ MemoryMB, DiskMB: 10, MaxPids: 0, state: 'Invalid', failed: false },
  ...more,
});

function planned(work: object, change: Partial<PlanInput> = {}) {
  let count = 0;
  const { placed, rejected } = plan({
    work: workSchema.parse(work),
    room: { memory_mb: 100, disk_mb: 100, containers: 5 },
    stacks: ['unik'],
    evacuating: false,
    isKnown: () => false,
    newGuid: () => `guid-${++count}`,
    trace: 'tr',
    ...change,
  });
  return {
    placed: placed.map(({ reservation: one }) => (one.kind === 'lrp' ? one.lrp.process_guid : one.guid)),
    rejected: rejected.map(({ raw, why }) => {
      const { process_guid, TaskGuid } = raw as { process_guid?: string; TaskGuid?: string };
      return [process_guid ?? TaskGuid, why];
    }),
  };
}

describe('admission', () => {
  test.each<[why: string, work: object, change: Partial<PlanInput>, placed: string[], rejected: unknown[]]>([
    ['null lists are empty ones', { LRPs: null, Tasks: null }, {}, [], []],
    ['no lists at all too', {}, {}, [], []],
    ['largest first, whatever the order', { LRPs: [lrp('a', 30), lrp('b', 90)] }, {}, ['b'], [['a', 'no room']]],
    ['what is left goes on', { LRPs: [lrp('a', 90), lrp('b', 30), lrp('c', 10)] }, {}, ['a', 'c'], [['b', 'no room']]],
    ['LRPs before tasks', { Tasks: [task('t', 60)], LRPs: [lrp('a', 60)] }, {}, ['a'], [['t', 'no room']]],
    ['disk counts', { LRPs: [lrp('a', 1, { DiskMB: 101 })] }, {}, [], [['a', 'no room']]],
    [
      'so does number',
      { LRPs: [lrp('a', 1)] },
      { room: { memory_mb: 9, disk_mb: 99, containers: 0 } },
      [],
      [['a', 'no room']],
    ],
    [
      'a negative demand gives no room',
      { LRPs: [lrp('a', -50), lrp('b', 120)] },
      {},
      [],
      [
        ['b', 'no room'],
        ['a', 'no room'],
      ],
    ],
    ['another stack', { LRPs: [lrp('a', 1, { RootFs: 'preloaded:cflinuxfs4' })] }, {}, [], [['a', 'unknown rootfs']]],
    [
      'evacuating',
      { LRPs: [lrp('a', 1)], Tasks: [task('t', 1)] },
      { evacuating: true },
      [],
      [
        ['a', 'evacuating'],
        ['t', 'evacuating'],
      ],
    ],
    ['a task that is here', { Tasks: [task('t', 1)] }, { isKnown: (guid) => guid === 't' }, [], [['t', 'guid in use']]],
    ['a task twice in one work', { Tasks: [task('t', 1), task('t', 1)] }, {}, ['t'], [['t', 'guid in use']]],
  ])('%s', (_why, work, change, placed, rejected) => {
    expect(planned(work, change)).toEqual({ placed, rejected });
  });

  test.each<[string, boolean]>([
    ['preloaded:unik', true],
    ['preloaded+layer:unik?layer=http://x&layer_path=/', true],
    ['preloaded:unik?x=1', true],
    ['preloaded:other', false],
    ['docker:///x/unik', false],
    ['unik', false],
    ['', false],
  ])('rootfs %s: %s', (rootfs, expected) => {
    expect(hasRootfs(rootfs, ['unik'])).toBe(expected);
  });

  test('never takes more than there is, and loses nothing', () => {
    const amount = fc.integer({ min: -5, max: 60 });
    const lrps = fc.array(fc.tuple(amount, amount), { maxLength: 12 });
    const tasks = fc.array(fc.tuple(fc.integer({ min: 0, max: 4 }), amount, amount), { maxLength: 12 });
    fc.assert(
      fc.property(lrps, tasks, fc.nat(200), fc.nat(200), fc.nat(10), (ls, ts, memory_mb, disk_mb, containers) => {
        const work = workSchema.parse({
          LRPs: ls.map(([memory, DiskMB], at) => lrp(`p${at}`, memory, { DiskMB })),
          Tasks: ts.map(([guid, memory, DiskMB]) => task(`t${guid}`, memory, { DiskMB })),
        });
        let count = 0;
        const { placed, rejected } = plan({
          ...{ work, stacks: ['unik'], evacuating: false, trace: '', isKnown: () => false },
          room: { memory_mb, disk_mb, containers },
          newGuid: () => `g${++count}`,
        });
        const sum = (of: 'memory_mb' | 'disk_mb') =>
          placed.reduce((total, { reservation }) => total + reservation.demand[of], 0);
        expect(placed.length + rejected.length).toBe(ls.length + ts.length);
        expect(placed.length).toBeLessThanOrEqual(containers);
        expect(sum('memory_mb')).toBeLessThanOrEqual(memory_mb);
        expect(sum('disk_mb')).toBeLessThanOrEqual(disk_mb);
        expect(new Set(placed.map(({ reservation }) => reservation.guid)).size).toBe(placed.length);
      }),
    );
  });
});

test('what comes back is what came, with keys that we do not know', () => {
  const raw = lrp('a', 1, { RootFs: 'preloaded:other', New: { key: [1] } });
  const work = workSchema.parse({ LRPs: [raw], Tasks: null });
  const room = { memory_mb: 9, disk_mb: 99, containers: 9 };
  const found = plan({
    work,
    room,
    stacks: [],
    evacuating: false,
    isKnown: () => false,
    newGuid: () => 'g',
    trace: '',
  });
  expect(found.rejected[0]?.raw).toEqual(raw);
});
