/** Prebuilt kernels in the catalogue: taken, found by abi, with what booting them showed; what is none is refused. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../../core/clock.js';
import { noLog } from '../../../core/log.js';
import { guests } from '../../../executor/guests/index.js';
import { KernelCatalogue } from '../../../executor/kernels/catalogue.js';
import type { KernelLimits } from '../../../executor/kernels/kernel.js';
import type { GuestName } from '../../../executor/model.js';
import { failure } from '../../support/failure.js';
import { compileKernel, scratch } from '../../support/guests.js';

let folder: Awaited<ReturnType<typeof scratch>>;
let kernel: string;
let catalogue: KernelCatalogue;

beforeAll(async () => {
  folder = await scratch();
  kernel = await compileKernel(folder.dir);
  catalogue = new KernelCatalogue({ dir: join(folder.dir, 'kernels'), clock: systemClock, log: noLog });
});
afterAll(() => folder.remove());

const limits: KernelLimits = {
  ...{ schema: 1, probed: '2026-11-30T00:00:00.000Z', boots: true, launcher: true },
  variables: { count: 8, atLeast: false },
};

test('a kernel becomes an entry with its protocol and drivers; twice is once', async () => {
  const entry = await catalogue.importGuest(kernel, { guest: 'unikraft', arch: 'x86_64', version: '0.16.3' });
  expect(entry).toMatchObject({ guest: 'unikraft', abi: guests.unikraft.abi, version: '0.16.3', boot: 'multiboot' });
  expect(entry.drivers).toEqual(['virtio-net']);
  expect((await catalogue.importGuest(kernel, { guest: 'unikraft', arch: 'x86_64', version: '0.16.3' })).id).toBe(
    entry.id,
  );
  expect(await readFile(join(entry.dir, 'kernel'))).toHaveLength((await readFile(kernel)).length);
});

test('what booting showed is kept and comes with the entry', async () => {
  const [entry] = await catalogue.list();
  await catalogue.noteLimits(entry?.id ?? '', limits);
  const picked = await catalogue.pick({ abi: guests.unikraft.abi, arch: 'x86_64' });
  expect(picked.limits).toEqual(limits);
  expect((await catalogue.verify(picked.id)).limits).toEqual(limits);
});

test('an image whose kernel is missing is told what to import', async () => {
  const refusal = await failure(() => catalogue.pick({ abi: guests.nanos.abi, arch: 'x86_64' }));
  expect(refusal.code).toBe('kernel_missing');
  expect(refusal.message).toMatch(/unik kernel import FILE --guest nanos --arch x86_64/);
});

test.each<[why: string, guest: GuestName, file: string, named: RegExp]>([
  ['no multiboot header', 'unikraft', '/bin/true', /a kernel is missing/],
  ['no boot blob', 'nanos', '/bin/true', /boot blob \(boot\.img\) is missing/],
  ['an image of its own', 'solo5', '/bin/true', /unik build true --guest solo5/],
  ['a package', 'linux', '/bin/true', /leave out --guest/],
])('%s: %s refuses %s', async (_why, guest, file, named) => {
  const refusal = await failure(() => catalogue.importGuest(file, { guest, arch: 'x86_64' }));
  expect(refusal.code).toBe('kernel_invalid');
  expect(refusal.message).toMatch(named);
});

test('a folder with two kernels, another processor, a missing file and a strange version are refused', async () => {
  const two = join(folder.dir, 'two');
  await mkdir(two);
  for (const name of ['a', 'b']) await writeFile(join(two, name), await readFile(kernel));
  const refused = async (path: string, more: { arch?: 'aarch64'; version?: string } = {}) =>
    failure(() => catalogue.importGuest(path, { guest: 'unikraft', arch: 'x86_64', ...more }));
  expect((await refused(two)).message).toMatch(/more than once: a, b/);
  expect((await refused(kernel, { arch: 'aarch64' })).message).toMatch(/aarch64/);
  expect((await refused(join(folder.dir, 'nowhere'))).code).toBe('source_missing');
  expect((await refused(kernel, { version: '../../etc' })).message).toMatch(/no name/);
});
