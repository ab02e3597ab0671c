import { describe, expect, test } from '@jest/globals';
import { clash, freeSlot, holderOf } from '../../../executor/providers/qemu/allocate.js';
import { claimSlot } from '../../../executor/providers/qemu/claim.js';
import { homeTag, parseRoutes, uidBase } from '../../../executor/providers/qemu/host.js';
import { rangeText } from '../../../executor/providers/qemu/net/addresses.js';
import { until } from '../../support/unik.js';

const port = (host_address: string, host_port: number, protocol: 'tcp' | 'udp' = 'tcp') => ({
  host_address,
  host_port,
  guest_port: 80,
  protocol,
});

describe('slots', () => {
  const any = (slot: number) => Promise.resolve(slot);
  test('the lowest free one is taken', async () => {
    expect(await freeSlot([{ slot: 0 }, { slot: 2 }], 10, any)).toEqual({ slot: 1, taken: 1 });
    const above4 = (slot: number) => Promise.resolve(slot > 4 ? 'x' : undefined);
    expect(await freeSlot([{ slot: 0 }], 10, above4)).toEqual({ slot: 5, taken: 'x' });
  });

  test('none left is an error with a code', async () => {
    await expect(freeSlot([{ slot: 0 }, { slot: 1 }], 2, any)).rejects.toThrow(
      expect.objectContaining({ code: 'insufficient_machines' }),
    );
  });

  test('one that is about to be wired up is nobody else’s until it is let go', async () => {
    const [first, second] = await Promise.all([claimSlot(61_000, 'test'), claimSlot(61_000, 'test')]);
    expect([first, second].filter((claim) => claim === undefined)).toHaveLength(1);
    (first ?? second)?.();
    const again = await until('free again', () => claimSlot(61_000, 'test'));
    again();
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

test('routes are read as the kernel writes them', () => {
  const table =
    'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n' +
    'eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n' +
    'uk0\t0400C90A\t0200CA0A\t0003\t0\t0\t0\tFCFFFFFF\t0\t0\t0\n';
  expect(parseRoutes(table).map(rangeText)).toEqual(['0.0.0.0-255.255.255.255', '10.201.0.4-10.201.0.7']);
});
