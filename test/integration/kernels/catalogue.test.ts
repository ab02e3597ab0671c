import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { noLog } from '../../../core/log.js';
import { KernelCatalogue } from '../../../executor/kernels/catalogue.js';
import { elfWith, fakeKernelPackage } from '../../support/fake-kernel.js';

const WANTED = { abi: 'linux-virtio-1', arch: 'x86_64' } as const;

let dir: string;
let now: number;
let init: string;
let source: string;
let catalogue: KernelCatalogue;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'unik-kernels-'));
  init = join(dir, 'init');
  source = join(dir, 'package');
  now = Date.UTC(2026, 0, 1);
  await writeFile(init, elfWith('.text', 'init'));
  await fakeKernelPackage(source, '6.1.0-9-cloud-amd64', '6.1.100-1');
  const clock = { now: () => now, sleep: () => Promise.resolve() };
  catalogue = new KernelCatalogue({ dir: join(dir, 'kernels'), clock, log: noLog });
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

test('an empty catalogue names what is missing', async () => {
  expect(await catalogue.list()).toEqual([]);
  await expect(catalogue.pick(WANTED)).rejects.toMatchObject({
    code: 'kernel_missing',
    message: expect.stringContaining('linux-virtio-1 for x86_64') as unknown,
  });
});

test('an import makes an entry of read-only files that verifies', async () => {
  const entry = await catalogue.importLinux(source, init);
  expect(entry).toMatchObject({
    guest: 'linux',
    ...WANTED,
    version: '6.1.100-1',
    imported: '2026-01-01T00:00:00.000Z',
  });
  expect(entry.id).toMatch(/^linux-6\.1\.100-1-[0-9a-f]{12}$/);
  for (const name of await readdir(entry.dir)) {
    expect((await stat(join(entry.dir, name))).mode & 0o777).toBe(0o444);
  }
  expect(await catalogue.pick(WANTED)).toEqual(entry);
  expect(await catalogue.verify(entry.id)).toEqual(entry);
});

test('the initrd holds the modules in an order that loads', async () => {
  const entry = await catalogue.importLinux(source, init);
  const initrd = await readFile(join(entry.dir, 'initrd'), 'latin1');
  expect(initrd).toContain('virtio_ring.ko\nvirtio.ko\nvirtio_pci.ko\nvirtio_console.ko\nvirtio_rng.ko\n');
  expect(initrd).not.toContain('overlay.ko');
});

test('the same import again, also at the same time, is the same entry', async () => {
  const [first, second] = await Promise.all([catalogue.importLinux(source, init), catalogue.importLinux(source, init)]);
  now += 1000;
  const third = await catalogue.importLinux(source, init);
  expect([second.id, third.id]).toEqual([first.id, first.id]);
  expect(third.imported).toBe('2026-01-01T00:00:00.000Z');
  expect(await readdir(join(dir, 'kernels'))).toEqual([first.id]);
});

test('the newest version is picked, then the newest import; an id or a pin picks another', async () => {
  const old = await catalogue.importLinux(source, init);
  await fakeKernelPackage(source, '6.1.0-56-cloud-amd64', '6.1.192-2');
  const newer = await catalogue.importLinux(source, init);
  await writeFile(init, elfWith('.text', 'another init'));
  now += 1000;
  const newest = await catalogue.importLinux(source, init);
  expect((await catalogue.list()).map(({ id }) => id)).toEqual([newest.id, newer.id, old.id]);
  expect((await catalogue.pick(WANTED)).id).toBe(newest.id);
  expect((await catalogue.pick({ ...WANTED, id: old.id })).id).toBe(old.id);
  expect((await catalogue.pick({ ...WANTED, pin: newer.digest })).id).toBe(newer.id);
  await expect(catalogue.pick({ ...WANTED, abi: 'other', id: old.id })).rejects.toMatchObject({
    code: 'kernel_missing',
  });
  await expect(catalogue.pick({ ...WANTED, arch: 'aarch64' })).rejects.toMatchObject({ code: 'kernel_missing' });
});

test('an entry in use stays, another goes', async () => {
  const { id, dir: folder } = await catalogue.importLinux(source, init);
  await expect(catalogue.remove(id, true)).rejects.toMatchObject({ code: 'kernel_in_use' });
  await catalogue.remove(id, false);
  await expect(stat(folder)).rejects.toMatchObject({ code: 'ENOENT' });
  for (const unknown of [id, '', '..', '../kernels', '.tmp-1']) {
    await expect(catalogue.remove(unknown, false)).rejects.toMatchObject({ code: 'kernel_missing' });
  }
});

test.each<[string, (folder: string) => Promise<void>]>([
  ['changed', (folder) => writeFile(join(folder, 'initrd'), 'other')],
  ['cut off', (folder) => truncate(join(folder, 'vmlinuz'), 10)],
  ['gone', (folder) => rm(join(folder, 'initrd'))],
])('a file that is %s does not verify', async (_what, damage) => {
  const entry = await catalogue.importLinux(source, init);
  for (const name of ['initrd', 'vmlinuz']) await chmod(join(entry.dir, name), 0o644);
  await damage(entry.dir);
  await expect(catalogue.verify(entry.id)).rejects.toMatchObject({ code: 'kernel_invalid' });
});

test('folders that are no entries are left out, and leftovers swept', async () => {
  const entry = await catalogue.importLinux(source, init);
  await mkdir(join(dir, 'kernels', 'empty'));
  await mkdir(join(dir, 'kernels', '.tmp-000000000000'));
  await rename(entry.dir, join(dir, 'kernels', 'renamed'));
  expect(await catalogue.list()).toEqual([]);
  await catalogue.sweep();
  expect((await readdir(join(dir, 'kernels'))).sort()).toEqual(['empty', 'renamed']);
});

describe('what is no kernel package is refused, and nothing remains', () => {
  const release = '6.1.0-9-cloud-amd64';
  const at = (path: string): string => join(source, path);
  const module = (path: string): string => at(`lib/modules/${release}/kernel/${path}`);
  test.each<[string, () => Promise<void>, RegExp]>([
    ['a folder that is missing', () => rm(source, { recursive: true }), /no boot\/vmlinuz/],
    ['no kernel', () => rm(at('boot'), { recursive: true }), /no boot\/vmlinuz/],
    ['two kernels', () => writeFile(at('boot/vmlinuz-7'), ''), /several kernels: .*vmlinuz-7/],
    [
      'a kernel that is none',
      () => writeFile(at(`boot/vmlinuz-${release}`), 'x'.repeat(9000)),
      /no Linux kernel for x86 or arm64/,
    ],
    ['half a kernel', () => truncate(at(`boot/vmlinuz-${release}`), 0x1100), /cut off/],
    ['no modules', () => rm(at('lib'), { recursive: true }), /no lib\/modules\/6\.1\.0-9/],
    ['a missing module', () => rm(module('fs/erofs/erofs.ko')), /no module erofs/],
    ['a missing dependency', () => rm(module('drivers/virtio/virtio_ring.ko')), /no module virtio_ring/],
    ['a compressed module', () => writeFile(module('fs/erofs/erofs.ko'), 'packed'), /no uncompressed kernel module/],
    [
      'a module of another kernel',
      () => writeFile(module('fs/erofs/erofs.ko'), elfWith('.modinfo', 'depends=\0vermagic=7.0 SMP\0')),
      /erofs\.ko is built for 7\.0/,
    ],
    ['an init that is no program', () => writeFile(init, '#!/bin/sh'), /no ELF program/],
    ['no init', () => rm(init), /init cannot be read/],
  ])('%s', async (_what, spoil, message) => {
    await spoil();
    const refusal = expect(catalogue.importLinux(source, init)).rejects;
    await refusal.toMatchObject({ code: 'kernel_invalid', message: expect.stringMatching(message) as unknown });
    expect(await catalogue.list()).toEqual([]);
    expect(await readdir(dir)).not.toContain('kernels');
  });
});
