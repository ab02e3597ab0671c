import { describe, expect, test } from '@jest/globals';
import { crashCount, restartIsDue, restartsAtOnce } from '../../../../localcf/bbs/rules/restart.js';
import { DIEGO } from '../../../../localcf/bbs/rules/policy.js';
import type { Lrp } from '../../../../localcf/bbs/model.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const row = (state: Lrp['state'], crash_count: number): Lrp => ({ state, crash_count }) as Lrp;

describe('restarts after crashes (bbs models/restart_calculator.go)', () => {
  test.each([
    [3, 30 * SECOND],
    [4, 60 * SECOND],
    [5, 2 * MINUTE],
    [6, 4 * MINUTE],
    [7, 8 * MINUTE],
    [8, 16 * MINUTE],
    [9, 16 * MINUTE],
    [199, 16 * MINUTE],
  ])('crash %i waits %i ms', (crashes, wait_ms) => {
    expect(restartsAtOnce(crashes, DIEGO)).toBe(false);
    expect(restartIsDue(row('CRASHED', crashes), wait_ms - 1, DIEGO)).toBe(false);
    expect(restartIsDue(row('CRASHED', crashes), wait_ms, DIEGO)).toBe(true);
  });

  test.each([1, 2])('crash %i is followed by a restart at once', (crashes) => {
    expect(restartsAtOnce(crashes, DIEGO)).toBe(true);
  });

  test('after 200 crashes nothing is restarted', () => {
    expect(restartIsDue(row('CRASHED', 200), 1e12, DIEGO)).toBe(false);
  });

  test.each<[why: string, state: Lrp['state'], age_ms: number, count: number]>([
    ['five minutes of running forget the crashes before', 'RUNNING', 5 * MINUTE + 1, 1],
    ['exactly five minutes do not', 'RUNNING', 5 * MINUTE, 8],
    ['five minutes of booting do not', 'CLAIMED', 6 * MINUTE, 8],
  ])('%s', (_why, state, age_ms, count) => {
    expect(crashCount(row(state, 7), age_ms, DIEGO)).toBe(count);
  });
});
