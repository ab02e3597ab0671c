import { expect } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import type { TestCell } from '../../../support/diego/test-cell.js';
import type { Bench } from './bench.js';
import type { Case } from './case.js';

const RULES = 'bbs models/restart_calculator.go';

/** The constants that these cases need, short enough to wait for: Diego's own are 5 minutes and 200 crashes. */
export const SCALED = { crash_reset_ms: 1_000, give_up_crashes: 5 };

/** Takes the `time`th work, runs it for `ms` and crashes it. The moment before the crash. */
async function crashAfter(t: Bench, cell: TestCell, guid: string, time: number, ms = 0): Promise<number> {
  await t.work(cell, guid, time, t.times.patience_ms + 4 * t.times.backoff_ms);
  const one = t.instance(guid);
  await cell.claim(one);
  await cell.start(one);
  await delay(ms);
  const before = Date.now();
  await cell.crash(one);
  return before;
}

/** Cases that need other constants than Diego's, and so are for the embedded control plane only. */
export const SCALED_CASES: Case[] = [
  {
    name: 'a crash after a long run counts as the first',
    fact: `crash_count 1 after CrashResetTimeout, 5 minutes (${RULES})`,
    long: true,
    async steps(t) {
      const cell = await t.cell();
      const guid = await t.desire();
      await crashAfter(t, cell, guid, 1);
      await crashAfter(t, cell, guid, 2);
      expect(await t.only(guid)).toMatchObject({ crash_count: 2 });
      await crashAfter(t, cell, guid, 3, SCALED.crash_reset_ms + 200);
      expect(await t.only(guid)).toMatchObject({ state: 'UNCLAIMED', crash_count: 1 });
    },
  },
  {
    name: 'the back-off doubles, and after the last crash allowed nothing is restarted',
    fact: `30 s * 2^(n - 3); MaxRestarts 200 (${RULES})`,
    long: true,
    async steps(t) {
      const cell = await t.cell();
      const guid = await t.desire();
      for (let time = 1; time <= 2; time++) await crashAfter(t, cell, guid, time);
      const third = await crashAfter(t, cell, guid, 3);
      const fourth = await crashAfter(t, cell, guid, 4);
      expect(fourth - third).toBeGreaterThanOrEqual(t.times.backoff_ms);
      const fifth = await crashAfter(t, cell, guid, 5);
      expect(fifth - fourth).toBeGreaterThanOrEqual(2 * t.times.backoff_ms);
      expect(await t.only(guid)).toMatchObject({ state: 'CRASHED', crash_count: SCALED.give_up_crashes });
      await delay(4 * t.times.backoff_ms + 2 * t.times.converge_ms);
      expect(t.worked(cell, guid).length).toBe(5);
    },
  },
];
