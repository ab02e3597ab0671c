import { expect } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import type { Instance, TestCell } from '../../../support/diego/test-cell.js';
import type { Bench } from './bench.js';
import type { Case } from './case.js';

const RULES = 'bbs models/restart_calculator.go';
const DB = 'bbs db/sqldb/actual_lrp_db.go CrashActualLRP';

/** Runs and crashes index 0 `times` times, each time on new work. The last instance. */
async function crashes(t: Bench, cell: TestCell, guid: string, times: number): Promise<Instance> {
  let one = t.instance(guid);
  for (let time = 1; time <= times; time++) {
    await t.work(cell, guid, time);
    one = t.instance(guid);
    await cell.claim(one);
    await cell.start(one);
    await cell.crash(one, `crash ${time}`);
  }
  return one;
}

export const crashCases: Case[] = [
  {
    name: 'the first and second crash are restarted at once',
    fact: `immediate restarts (${RULES})`,
    on: 'quiet',
    async steps(t) {
      const cell = await t.cell();
      const guid = await t.desire();
      await crashes(t, cell, guid, 2);
      await t.work(cell, guid, 3);
      expect(await t.only(guid)).toMatchObject({
        state: 'UNCLAIMED',
        crash_count: 2,
        crash_reason: 'crash 2',
        actual_lrp_instance_key: { instance_guid: '', cell_id: '' },
        actual_lrp_net_info: { address: '', ports: [] },
      });
    },
  },
  {
    name: 'the third crash is not restarted at once',
    fact: `CRASHED from the third on (${RULES})`,
    async steps(t) {
      const cell = await t.cell();
      const guid = await t.desire();
      await crashes(t, cell, guid, 3);
      expect(await t.only(guid)).toMatchObject({ state: 'CRASHED', crash_count: 3, crash_reason: 'crash 3' });
      await t.rounds(2);
      expect(t.worked(cell, guid).length).toBe(3);
      expect(await t.only(guid)).toMatchObject({ state: 'CRASHED', crash_count: 3 });
    },
  },
  {
    name: 'the third crash is restarted after the back-off, and the count goes on',
    fact: `30 s * 2^(n - 3) (${RULES})`,
    long: true,
    async steps(t) {
      const cell = await t.cell();
      const guid = await t.desire();
      await crashes(t, cell, guid, 2);
      await t.work(cell, guid, 3);
      const third = t.instance(guid);
      await cell.claim(third);
      const crashed = Date.now();
      await cell.crash(third);
      const [, , , fourth] = await t.work(cell, guid, 4, t.times.backoff_ms + t.times.patience_ms);
      expect((fourth?.at ?? 0) - crashed).toBeGreaterThanOrEqual(t.times.backoff_ms);
      expect((fourth?.at ?? 0) - crashed).toBeLessThan(t.times.backoff_ms + 2 * t.times.converge_ms + 3_000);
      expect(await t.only(guid)).toMatchObject({ state: 'UNCLAIMED', crash_count: 3 });
      const one = t.instance(guid);
      await cell.claim(one);
      await cell.crash(one, 'crash 4');
      expect(await t.only(guid)).toMatchObject({ state: 'CRASHED', crash_count: 4, crash_reason: 'crash 4' });
      await delay(t.times.backoff_ms * 0.5);
      expect(t.worked(cell, guid).length).toBe(4);
    },
  },
  {
    name: 'the work of a restart may arrive before the crash is answered',
    fact: 'the auction is requested inside the crash call (bbs controllers/actual_lrp_lifecycle_controller.go)',
    on: 'quiet',
    async steps(t) {
      const cell = await t.cell();
      const guid = await t.desire();
      await crashes(t, cell, guid, 1);
      const [, second] = await t.work(cell, guid, 2);
      expect(second?.body).toMatchObject({ LRPs: [{ process_guid: guid, index: 0, MemoryMB: 64 }] });
    },
  },
  {
    name: 'a crash while only claimed counts as well',
    fact: DB,
    on: 'quiet',
    async steps(t) {
      const cell = await t.cell();
      const guid = await t.desire();
      await t.work(cell, guid);
      const one = t.instance(guid);
      await cell.claim(one);
      await cell.crash(one, '');
      expect(await t.only(guid)).toMatchObject({ state: 'UNCLAIMED', crash_count: 1, crash_reason: '' });
    },
  },
  {
    name: 'the reason of a crash is cut',
    fact: `crash_reason at most 1024 (${DB})`,
    on: 'quiet',
    async steps(t) {
      const cell = await t.cell();
      const { guid, on } = await t.running([cell]);
      const [first] = on;
      if (first) await cell.crash(first.one, 'y'.repeat(3_000));
      const { crash_reason } = await t.only(guid);
      expect(crash_reason.length).toBe(1_024);
      expect(crash_reason).toMatch(/^y{900}/);
    },
  },
  {
    name: 'instances crash apart from each other',
    fact: 'the count is of the row (bbs models/actual_lrp.proto)',
    on: 'quiet',
    async steps(t) {
      const cell = await t.cell();
      const { guid, on } = await t.running([cell], { instances: 2 });
      const second = on[1];
      if (second) await cell.crash(second.one);
      expect((await t.lrps(guid)).map(({ state, crash_count }) => [state, crash_count])).toEqual([
        ['RUNNING', 0],
        ['UNCLAIMED', 1],
      ]);
    },
  },
  {
    name: 'a crashed instance cannot be crashed, claimed or started by the one that died',
    fact: `the instance key is cleared (${DB})`,
    async steps(t) {
      const cell = await t.cell();
      const guid = await t.desire();
      const dead = await crashes(t, cell, guid, 3);
      expect(await t.refusal(cell.crash(dead))).toMatchObject({ type: 'ActualLRPCannotBeCrashed' });
      expect(await t.refusal(cell.claim(dead))).toMatchObject({ type: 'ActualLRPCannotBeClaimed' });
      expect(await t.refusal(cell.start(dead))).toMatchObject({ type: 'ActualLRPCannotBeStarted' });
      expect(await t.refusal(cell.remove(dead))).toMatchObject({ type: 'ResourceNotFound' });
    },
  },
  {
    name: 'a crashed instance that is retired is deleted, and made anew with no crashes',
    fact: 'RetireActualLRP of CRASHED (bbs controllers/actual_lrp_lifecycle_controller.go)',
    async steps(t) {
      const cell = await t.cell();
      const guid = await t.desire();
      const { process_guid, index, domain } = await crashes(t, cell, guid, 3);
      await t.bbs.call('retire', { actual_lrp_key: { process_guid, index, domain } });
      await t.work(cell, guid, 4);
      expect(await t.only(guid)).toMatchObject({ state: 'UNCLAIMED', crash_count: 0 });
    },
  },
];
