import { expect, test } from '@jest/globals';
import { evacuate } from '../../../backend/cell/evacuation.js';
import { cpuFraction } from '../../../backend/cell/sampler.js';
import { noLog } from '../../../core/log.js';
import { anLrp } from '../../support/cell/samples.js';
import { flush, makeCell } from '../../support/cell/reconciler.js';

async function evacuating() {
  const cell = makeCell();
  const reconciler = cell.make();
  reconciler.start();
  cell.bbs.desire('proc-1', 0);
  cell.containers.reserve(anLrp());
  await flush();
  cell.containers.boot('inst-1');
  cell.containers.healthy('inst-1');
  await flush();
  const late: string[] = [];
  let over = false;
  const options = { reconciler, containers: cell.containers, clock: cell.clock, log: noLog };
  const onTimeout = ({ reservation }: { reservation: { guid: string } }): void => void late.push(reservation.guid);
  const done = evacuate(
    { ...options, timeout_ms: 600_000, grace_ms: 20_000, onTimeout },
    new AbortController().signal,
  ).then(() => (over = true));
  await flush();
  return { ...cell, reconciler, late, done, over: () => over };
}

test('ends when the last instance was replaced', async () => {
  const { bbs, clock, late, over, done, reconciler } = await evacuating();
  await clock.turn(30_000);
  expect(over()).toBe(false);
  const elsewhere = { instance_guid: 'new', cell_id: 'cell-b' };
  const key = { process_guid: 'proc-1', index: 0, domain: 'cf-apps' };
  await bbs.call('start', { actual_lrp_key: key, actual_lrp_instance_key: elsewhere });
  await clock.turn(11_000);
  await done;
  expect(late).toEqual([]);
  await reconciler.close();
});

test('ends at its timeout, with the BBS told of what is gone', async () => {
  const { bbs, containers, clock, late, done, over, reconciler } = await evacuating();
  await clock.turn(599_000);
  expect(over()).toBe(false);
  await clock.turn(2_000);
  await done;
  expect(late).toEqual(['inst-1']);
  expect(containers.list()).toEqual([]);
  expect(bbs.evacuating.size).toBe(0);
  await reconciler.close();
});

test('ends also with a machine that does not, after its grace', async () => {
  const { containers, clock, done, reconciler } = await evacuating();
  containers.obedient = false;
  await clock.turn(600_000 + 21_000);
  await done;
  expect(containers.list()).toHaveLength(1);
  await reconciler.close();
});

test('use of CPU is a part of one CPU, between samples or since the start, never negative', () => {
  const usage = {
    ...{ guid: 'g', at: 10_000, cpu_ns: 1_000_000_000n, memory_bytes: 0, disk_bytes: 0 },
    ...{ memory_quota_bytes: 0, disk_quota_bytes: 0, age_ns: 4_000_000_000n },
  };
  expect(cpuFraction(usage, undefined)).toBe(0.25);
  expect(cpuFraction({ ...usage, at: 11_000, cpu_ns: 1_500_000_000n }, usage)).toBe(0.5);
  expect(cpuFraction(usage, { ...usage, at: 9_000, cpu_ns: 2_000_000_000n })).toBe(0);
  expect(cpuFraction(usage, usage)).toBe(0);
});
