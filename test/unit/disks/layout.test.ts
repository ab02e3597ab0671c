import { describe, expect, test } from '@jest/globals';
import { join } from 'node:path';
import { crc32 } from '../../../executor/disks/crc32.js';
import { fatWithOneFile } from '../../../executor/disks/fat.js';
import { diskSectors, partitionTable } from '../../../executor/disks/gpt.js';
import { LOADER, MBR } from '../../../executor/disks/loader-code.js';
import { loaderFor, mbrCode } from '../../../executor/disks/loader.js';
import { configSeed } from '../../../executor/disks/seed.js';
import { unify } from '../../../executor/disks/uki.js';

const root = join(import.meta.dirname, '../../..');

/** The first bytes of a kernel as far as the loader looks. */
function kernel(): Buffer {
  const bytes = Buffer.alloc(4096);
  bytes.write('HdrS', 0x202, 'latin1');
  bytes.writeUInt8(39, 0x1f1);
  bytes.writeBigUInt64LE(0x1000000n, 0x258);
  bytes.writeUInt32LE(0x3378000, 0x260);
  return bytes;
}

const facts = {
  kernel: kernel(),
  kernel_bytes: 14_190_528,
  initrd_bytes: 77,
  kernel_sector: 5_000_000_000,
  initrd_sector: 7,
  cmdline: 'console=ttyS0',
};

describe('boot loader', () => {
  test('its bytes are those of loader.S', async () => {
    const { assemble } = (await import(join(root, 'scripts/disk-loader.mjs'))) as {
      assemble: () => { mbr: Buffer; loader: Buffer };
    };
    const { mbr, loader } = assemble();
    expect(Buffer.from(MBR, 'base64').equals(mbr)).toBe(true);
    expect(Buffer.from(LOADER, 'base64').equals(loader)).toBe(true);
  });

  test('fits before the partition table and is told where the kernel lies', () => {
    expect(mbrCode().length).toBeLessThanOrEqual(440);
    const code = loaderFor(facts);
    expect(code.readBigUInt64LE(0x10)).toBe(5_000_000_000n);
    expect(code.readUInt32LE(0x20)).toBe(14_190_528);
    expect(code.readUInt32LE(0x28)).toBe(40);
    expect(code.readUInt32LE(0x2c)).toBe(0x4378000);
    expect(code.toString('latin1', 0x30, 0x30 + 14)).toBe('console=ttyS0\0');
  });

  test('refuses what is no kernel, and a command line it has no room for', () => {
    expect(() => loaderFor({ ...facts, kernel: Buffer.alloc(4096) })).toThrow(/as its package has it/);
    expect(() => loaderFor({ ...facts, cmdline: 'x'.repeat(2048) })).toThrow(/has room for 2047/);
  });
});

test('CRC-32 of the usual check string', () => {
  expect(crc32(Buffer.from('123456789'))).toBe(0xcbf43926);
});

test('a partition table stands at both ends, and each half tells of the other', () => {
  const sectors = diskSectors(4095);
  const { front, back, backAt } = partitionTable([{ name: 'unik-root', type: 'linux', first: 2048, last: 4095 }], {
    sectors,
    bootCode: mbrCode(),
    seed: 'x',
  });
  expect(front.readUInt16LE(510)).toBe(0xaa55);
  expect(front.readUInt8(450)).toBe(0xee);
  const heads = [front.subarray(512, 1024), back.subarray(-512)];
  for (const head of heads) {
    expect(head.toString('latin1', 0, 8)).toBe('EFI PART');
    const copy = Buffer.from(head.subarray(0, 92));
    copy.writeUInt32LE(0, 16);
    expect(crc32(copy)).toBe(head.readUInt32LE(16));
  }
  expect(backAt + back.length).toBe(sectors * 512);
  expect(Number(heads[0]?.readBigUInt64LE(32))).toBe(sectors - 1);
  expect(front.toString('utf16le', 1024 + 56, 1024 + 56 + 18)).toBe('unik-root');
});

test.each([1, 2048, 14_000_000, 100_000_000])('a FAT with a file of %d bytes holds it in one piece', (size) => {
  const fat = fatWithOneFile('EFI/BOOT/BOOTX64.EFI', size, 'UNIK');
  expect(fat.contentAt + size).toBeLessThanOrEqual(fat.bytes);
  expect(fat.contentAt % 512).toBe(0);
  const perFat = fat.head.readUInt16LE(22);
  const entry = (cluster: number): number => fat.head.readUInt16LE(512 + cluster * 2);
  let clusters = 0;
  for (let at = 4; at !== 0xffff; at = entry(at)) clusters++;
  expect(clusters).toBe(Math.ceil(size / 2048));
  expect(fat.head.subarray(512, 512 + perFat * 512)).toEqual(
    fat.head.subarray(512 + perFat * 512, 512 + 2 * perFat * 512),
  );
});

test('a FAT takes no file that it cannot hold', () => {
  expect(() => fatWithOneFile('A.EFI', 200_000_000, 'UNIK')).toThrow(/too large/);
});

test('a unified kernel keeps what the stub had and names its new sections', () => {
  const stub = Buffer.alloc(1024);
  stub.writeUInt32LE(0x40, 0x3c);
  stub.write('PE\0\0', 0x40, 'latin1');
  stub.writeUInt16LE(1, 0x46);
  stub.writeUInt16LE(240, 0x54);
  stub.writeUInt32LE(0x1000, 0x40 + 24 + 32);
  stub.writeUInt32LE(0x5000, 0x40 + 24 + 56);
  stub.writeUInt32LE(1024, 0x40 + 24 + 60);
  const made = unify(stub, [
    { name: '.linux', bytes: 700 },
    { name: '.initrd', bytes: 5 },
  ]);
  expect(made.sections.map(({ at }) => at)).toEqual([1024, 2048]);
  expect(made.bytes).toBe(2560);
  expect(made.head.readUInt16LE(0x46)).toBe(3);
  expect(made.head.readUInt32LE(0x40 + 24 + 56)).toBe(0x7000);
  expect(() => unify(Buffer.from('no program'), [])).toThrow(/no PE program/);
  const many = Array.from({ length: 20 }, (_, n) => ({ name: `.${String(n)}`, bytes: 1 }));
  expect(() => unify(stub, many)).toThrow(/no room/);
});

test('a seed disk is an ISO 9660 of that name whose one file is the config', () => {
  const config = JSON.stringify({ schema: 1, env: { A: 'ä\n"' } });
  const iso = configSeed(config);
  expect(iso.toString('latin1', 0x8001, 0x8006)).toBe('CD001');
  expect(iso.toString('latin1', 0x8028, 0x8031)).toBe('unik-seed');
  const folder = iso.readUInt32LE(0x8000 + 156 + 2) * 2048;
  const file = folder + 34 + 34;
  expect(iso.toString('latin1', file + 33, file + 43)).toBe('UNIK.JSN;1');
  const at = iso.readUInt32LE(file + 2) * 2048;
  expect(iso.toString('utf8', at, at + iso.readUInt32LE(file + 10))).toBe(config);
});
