import { describe, expect, test } from '@jest/globals';
import { noLog } from '../../../core/log.js';
import { ERRORS, hasCode, messageOf, toUnikError, UnikError } from '../../../core/errors.js';
import { poll } from '../../../core/retry.js';
import { Undo } from '../../../core/undo.js';

describe('errors', () => {
  test('every entry says what to do, in a sentence, with a status that fits its owner', () => {
    for (const [code, entry] of Object.entries(ERRORS)) {
      expect([code, entry.hint]).toEqual([code, expect.stringMatching(/^[A-Z].*\.$/)]);
      expect(entry.http).toBeGreaterThanOrEqual(400);
      expect(code).toMatch(/^[a-z_]+$/);
    }
  });

  test('anything thrown becomes one, once', () => {
    const own = new UnikError('not_found', 'x');
    expect(toUnikError(own)).toBe(own);
    expect(toUnikError('text')).toMatchObject({ code: 'internal', message: 'text' });
    const full = Object.assign(new Error('write'), { code: 'ENOSPC' });
    expect(toUnikError(full, 'machine_failed')).toMatchObject({ code: 'disk_full', cause: full, http: 507 });
  });

  test('an error of another realm counts by its shape', () => {
    const foreign = { message: 'gone', code: 'ENOENT' };
    expect(hasCode(foreign, 'ENOENT')).toBe(true);
    expect(hasCode(foreign, 'EACCES')).toBe(false);
    expect(hasCode('ENOENT', 'ENOENT')).toBe(false);
    expect(messageOf(foreign)).toBe('gone');
    expect(messageOf(undefined)).toBe('undefined');
  });
});

describe('poll', () => {
  const clock = () => {
    let now = 0;
    return { now: () => now, sleep: async (ms: number) => void (now += ms) };
  };
  const options = { timeout_ms: 30, interval_ms: 10, what: 'rain' };

  test('gives the first value there is', async () => {
    let turn = 0;
    const value = await poll(async () => (++turn === 3 ? 0 : undefined), { ...options, clock: clock() });
    expect([value, turn]).toEqual([0, 3]);
  });

  test('gives up naming what it waited for', async () => {
    const never = poll(async () => undefined, { ...options, clock: clock() });
    await expect(never).rejects.toMatchObject({ code: 'timeout', message: 'timed out after 30 ms waiting for rain' });
  });

  test('passes on what the attempt throws, and ends by its signal', async () => {
    await expect(poll(() => Promise.reject(new Error('no')), { ...options, clock: clock() })).rejects.toThrow('no');
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(poll(async () => 1, { ...options, clock: clock(), signal })).rejects.toThrow('enough');
  });
});

test('undo runs backwards, goes on after a failure, and can be forgotten', async () => {
  const done: string[] = [];
  const undo = new Undo();
  undo.push('a', () => void done.push('a'));
  undo.push('b', () => Promise.reject(new Error('no')));
  undo.push('c', () => void done.push('c'));
  await undo.unwind(noLog);
  await undo.unwind(noLog);
  expect(done).toEqual(['c', 'a']);
  undo.push('d', () => void done.push('d'));
  undo.forget();
  await undo.unwind(noLog);
  expect(done).toEqual(['c', 'a']);
});
