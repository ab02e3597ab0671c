import { describe, expect, test } from '@jest/globals';
import type { User } from '../../../../localcf/cc/model.js';
import { Codes } from '../../../../localcf/uaa/codes.js';
import { Lockout } from '../../../../localcf/uaa/lockout.js';
import { hashPassword, passwordFits, randomSecret, sameSecret } from '../../../../localcf/uaa/passwords.js';
import { userFilter } from '../../../../localcf/uaa/scim.js';

const clock = { time: 0, now: () => clock.time, sleep: async () => undefined };

describe('passwords', () => {
  test('fit only themselves, and nothing fits nobody', async () => {
    const kept = await hashPassword('secret');
    expect(kept).not.toContain('secret');
    expect(await passwordFits('secret', kept)).toBe(true);
    expect(await passwordFits('Secret', kept)).toBe(false);
    expect(await passwordFits('', null)).toBe(false);
    expect(await passwordFits('', 'scrypt$$')).toBe(false);
  });
  test('made ones are letters and digits', () => expect(randomSecret(500)).toMatch(/^[A-Za-z0-9]{500}$/));
  test('secrets of different length are different', () => {
    expect(sameSecret('a', 'ab')).toBe(false);
    expect(sameSecret('ab', 'ab')).toBe(true);
  });
});

describe('a lock-out', () => {
  test('comes with the fifth failure and ends by itself', () => {
    const lockout = new Lockout(clock);
    for (let n = 0; n < 4; n++) lockout.failed('ann');
    expect(lockout.locked('ann')).toBe(false);
    lockout.failed('ann');
    expect(lockout.locked('ann')).toBe(true);
    expect(lockout.locked('bob')).toBe(false);
    clock.time += 300_000;
    expect(lockout.locked('ann')).toBe(false);
  });
  test('success forgets failures', () => {
    const lockout = new Lockout(clock);
    for (let n = 0; n < 4; n++) lockout.failed('ann');
    lockout.succeeded('ann');
    lockout.failed('ann');
    expect(lockout.locked('ann')).toBe(false);
  });
});

describe('codes', () => {
  test('are good once, for their client, for five minutes', () => {
    const codes = new Codes(clock);
    const [one, two, three] = [codes.make('u', 'a'), codes.make('u', 'a'), codes.make('u', 'a')];
    expect(codes.take(one, 'b')).toBeUndefined();
    expect(codes.take(one, 'a')).toBeUndefined();
    expect(codes.take(two, 'a')).toBe('u');
    expect(codes.take(two, 'a')).toBeUndefined();
    clock.time += 300_001;
    expect(codes.take(three, 'a')).toBeUndefined();
  });
});

describe('filters of users', () => {
  const ann = { username: 'Ann', origin: 'uaa', guid: '1', email: 'ann@example.com' } as User;
  test.each<[string, boolean]>([
    ['userName eq "ann"', true],
    ['userName Eq "ann" and origin eq "uaa"', true],
    ['userName eq "ann" and origin eq "ldap"', false],
    ['userName eq "bob" or id eq "1"', true],
    ['userName eq "a and b"', false],
    ['emails.value eq "ann@example.com"', true],
  ])('%s: %p', (text, fits) => expect(userFilter(text)(ann)).toBe(fits));
  test.each(['password eq "x"', 'userName sw "a"', '', 'userName eq ann'])('%s is refused', (text) =>
    expect(() => userFilter(text)).toThrow('Invalid filter expression'),
  );
});
