import { describe, expect, test } from '@jest/globals';
import { loadOrder, moduleInfo, moduleName } from '../../../executor/guests/linux/modules.js';
import { elfWith } from '../../support/fake-kernel.js';

const graph: Record<string, string[]> = {
  net: ['virtio', 'failover'],
  virtio: ['ring'],
  failover: [],
  ring: [],
  blk: ['virtio', 'ring', 'builtin'],
};

describe('load order', () => {
  test.each<[string, string[], string[]]>([
    ['dependencies come first', ['net'], ['ring', 'virtio', 'failover', 'net']],
    ['nothing is loaded twice', ['blk', 'net', 'blk'], ['ring', 'virtio', 'blk', 'failover', 'net']],
    ['what is built in is left out', ['builtin', 'ring'], ['ring']],
    ['what is wanted first comes first', ['ring', 'failover'], ['ring', 'failover']],
  ])('%s', (_why, wanted, expected) => {
    expect(loadOrder(wanted, (name) => graph[name])).toEqual(expected);
  });

  test('a circle ends', () => {
    const circle: Record<string, string[]> = { a: ['b'], b: ['a'] };
    expect(loadOrder(['a'], (name) => circle[name]).sort()).toEqual(['a', 'b']);
  });
});

test.each([
  ['kernel/drivers/virtio/virtio_ring.ko', 'virtio_ring'],
  ['virtio-rng.ko.xz', 'virtio_rng'],
  ['crc16', 'crc16'],
])('%s is the module %s', (file, name) => {
  expect(moduleName(file)).toBe(name);
});

describe('module facts', () => {
  test('are read from .modinfo', () => {
    const elf = elfWith('.modinfo', 'license=GPL\0depends=virtio,virtio_ring\0vermagic=6.1.0 SMP x=y\0');
    expect(Object.fromEntries(moduleInfo(elf) ?? [])).toEqual({
      license: 'GPL',
      depends: 'virtio,virtio_ring',
      vermagic: '6.1.0 SMP x=y',
    });
  });

  test.each<[string, Buffer]>([
    ['another section', elfWith('.text', 'depends=x\0')],
    ['a compressed file', Buffer.alloc(100, 0xfd)],
    ['an empty file', Buffer.alloc(0)],
    ['a file that is cut off', elfWith('.modinfo', 'depends=x\0').subarray(0, 100)],
  ])('%s has none', (_what, bytes) => {
    expect(moduleInfo(bytes)).toBeUndefined();
  });
});
