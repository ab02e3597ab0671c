import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  addressesOf,
  DEFAULT_SUBNETS,
  overlap,
  parseRange,
  rangeText,
  slotsIn,
} from '../../../executor/providers/qemu/net/addresses.js';
import { slotIsUnrouted } from '../../../executor/providers/qemu/host.js';

describe('a range', () => {
  test.each([
    ['10.0.0.1', '10.0.0.1'],
    ['10.0.0.1/32', '10.0.0.1'],
    ['10.0.0.9/30', '10.0.0.8-10.0.0.11'],
    ['0.0.0.0/0', '0.0.0.0-255.255.255.255'],
    ['10.0.0.5-10.0.0.7', '10.0.0.5-10.0.0.7'],
  ])('%s is %s', (given, text) => {
    expect(rangeText(parseRange(given))).toBe(text);
  });

  test.each([
    '',
    'x',
    '10.0.0',
    '10.0.0.256',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '10.0.0.7-10.0.0.5',
    '1.1.1.1; drop',
    '::1',
  ])('%j is refused, by name', (given) => {
    expect(() => parseRange(given)).toThrow(
      expect.objectContaining({
        code: 'bad_request',
        message: expect.stringContaining(JSON.stringify(given)) as unknown,
      }),
    );
  });
});

describe('slots', () => {
  test('hold two networks each', () => {
    expect(addressesOf(1, DEFAULT_SUBNETS)).toEqual({
      guest: '10.201.0.6',
      guestCidr: '10.201.0.6/30',
      gateway: '10.201.0.5',
      inner: '10.202.0.6',
      outer: '10.202.0.5',
      guestNet: '10.201.0.4/30',
      linkNet: '10.202.0.4/30',
    });
    expect(slotsIn(DEFAULT_SUBNETS)).toBe(16_384);
    expect(slotsIn({ ...DEFAULT_SUBNETS, link: '10.0.0.0/28' })).toBe(4);
  });

  test('never share an address', () => {
    const slot = fc.integer({ min: 0, max: 16_383 });
    fc.assert(
      fc.property(slot, slot, (a, b) => {
        const networks = [a, b].map((n) => addressesOf(n, DEFAULT_SUBNETS)).flatMap((n) => [n.guestNet, n.linkNet]);
        const [first = '', , second = ''] = networks;
        expect(overlap(parseRange(first), parseRange(second))).toBe(a === b);
      }),
    );
  });

  test('are passed over when the host has a route into them, but not for a route over everything', () => {
    const routed = ['10.202.0.4/30', '10.0.0.0/8', '0.0.0.0/0'].map(parseRange);
    expect([0, 1, 2].map((slot) => slotIsUnrouted(slot, DEFAULT_SUBNETS, routed))).toEqual([true, false, true]);
  });
});
