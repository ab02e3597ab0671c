import { describe, expect, test } from '@jest/globals';
import { clash, freeSlot, holderOf } from '../../../executor/providers/qemu/allocate.js';
import { homeTag, uidBase } from '../../../executor/providers/qemu/host.js';

const port = (host_address: string, host_port: number, protocol: 'tcp' | 'udp' = 'tcp') => ({
  host_address,
  host_port,
  guest_port: 80,
  protocol,
});

describe('slots', () => {
  test('the lowest free one is taken', () => {
    expect(freeSlot([{ slot: 0 }, { slot: 2 }], 10, () => true)).toBe(1);
    expect(freeSlot([{ slot: 0 }], 10, (slot) => slot > 4)).toBe(5);
  });

  test('none left is an error with a code', () => {
    expect(() => freeSlot([{ slot: 0 }, { slot: 1 }], 2, () => true)).toThrow(
      expect.objectContaining({ code: 'insufficient_machines' }),
    );
  });
});

describe('ports', () => {
  test.each([
    [port('127.0.0.1', 80), port('127.0.0.1', 80), true],
    [port('127.0.0.1', 80), port('0.0.0.0', 80), true],
    [port('0.0.0.0', 80), port('192.0.2.1', 80), true],
    [port('127.0.0.1', 80), port('192.0.2.1', 80), false],
    [port('127.0.0.1', 80), port('127.0.0.1', 81), false],
    [port('127.0.0.1', 80), port('127.0.0.1', 80, 'udp'), false],
  ])('%j and %j clash: %s', (a, b, answer) => {
    expect([clash(a, b), clash(b, a)]).toEqual([answer, answer]);
  });

  test('the machine that has one is named', () => {
    const machines = [{ name: 'shop', key: 'k', ports: [port('127.0.0.1', 80)] }];
    expect(holderOf(port('127.0.0.1', 80), machines)?.name).toBe('shop');
    expect(holderOf(port('127.0.0.1', 81), machines)).toBeUndefined();
  });
});

test('homes have names and accounts apart', () => {
  expect(homeTag('/home/a')).toMatch(/^[0-9a-f]{8}$/);
  expect(homeTag('/home/a')).not.toBe(homeTag('/home/b'));
  expect(uidBase('/home/a')).toBeGreaterThanOrEqual(0x70000000);
  expect(uidBase('/home/a') + 65_535).toBeLessThan(2 ** 31);
});
