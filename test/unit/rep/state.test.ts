import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cellState } from '../../../backend/rep/state.js';
import type { Container } from '../../../backend/cell/model.js';
import { aContainer, anLrp, aTask } from '../../support/cell/samples.js';
import { root } from '../../support/unik.js';

const golden = (name: string): unknown =>
  JSON.parse(readFileSync(join(root, 'test/fixtures/diego/rep-lib', `${name}.json`), 'utf8'));

interface GoldenState extends Record<string, unknown> {
  RootFSProviders: Record<string, unknown>;
  Tasks: { TaskGuid: string }[];
}

const facts = {
  cell_id: 'cell-a',
  rep_url: 'https://cell-a.cell.service.cf.internal:1801',
  zone: 'z1',
  stacks: ['cflinuxfs4', 'mystack'],
  placement_tags: [],
  optional_placement_tags: ['tag-1'],
};
const room = {
  total: { memory_mb: 8192, disk_mb: 16384, containers: 100 },
  available: { memory_mb: 4096, disk_mb: 8192, containers: 50 },
};
const outcome = { failed: true, reason: 'x', retryable: false };
const states = (containers: Container[]) => cellState({ facts, containers, room, evacuating: false });

test('is what the official Go types write, but for what this cell does not have', () => {
  const rootfs = 'preloaded:mystack';
  const tagged = anLrp('inst-1', 0, { rootfs, placement_tags: ['tag-1'], volume_drivers: ['nfsdriver'] });
  const plain = anLrp('inst-2', 1, { rootfs, max_pids: 0 });
  const demand = { rootfs, memory_mb: 64, disk_mb: 64, max_pids: 10 };
  const made = states([
    aContainer({ reservation: tagged, state: 'running' }),
    aContainer({ reservation: plain }),
    aContainer({ reservation: aTask('t1', demand), state: 'created' }),
    aContainer({ reservation: aTask('t2', demand), state: 'running' }),
    aContainer({ reservation: aTask('t3', demand), state: 'completed', outcome }),
  ]);
  const expected = golden('cell-state') as GoldenState;
  const { docker: _, ...preloaded } = expected.RootFSProviders;
  expect(nullsAreEmpty(made)).toEqual(
    nullsAreEmpty({
      ...expected,
      RootFSProviders: preloaded,
      // Only these states does a cell ever show.
      Tasks: expected.Tasks.filter(({ TaskGuid }) => ['t1', 't2', 't3'].includes(TaskGuid)),
      VolumeDrivers: [],
      ProxyMemoryAllocationMB: 0,
    }),
  );
  expect(Object.keys(made)).toEqual(Object.keys(expected));
});

describe('the state of an LRP', () => {
  test.each<[string, Partial<Container>]>([
    ['CLAIMED', { state: 'reserved' }],
    ['CLAIMED', { state: 'initializing' }],
    ['CLAIMED', { state: 'created' }],
    ['RUNNING', { state: 'running' }],
    ['SHUTDOWN', { state: 'completed', outcome: { ...outcome, failed: false } }],
    ['CRASHED', { state: 'completed', outcome }],
  ])('%s: %j', (expected, container) => {
    expect(states([aContainer(container)]).LRPs[0]?.state).toBe(expected);
  });
});

test('reserved, initializing and created ones count as starting', () => {
  const all = (['reserved', 'initializing', 'created', 'running', 'completed'] as const).map((state) =>
    aContainer({ state }),
  );
  expect(states(all).StartingContainerCount).toBe(3);
});

/** Go writes null for an empty list; both are read alike. */
function nullsAreEmpty(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_key, one: unknown) => one ?? []));
}
