import { expect, test } from '@jest/globals';
import { guestNamed } from '../../../executor/guests/index.js';
import { linux } from '../../../executor/guests/linux/index.js';
import { GUESTS } from '../../../executor/model.js';
import { guestRamMb } from '../../../executor/kernels/ram.js';
import type { KernelEntry } from '../../../executor/kernels/kernel.js';
import type { Image } from '../../../executor/images/image.js';

const digest = `sha256:${'0'.repeat(64)}`;

const image: Image & { dir: string } = {
  schema: 1,
  digest,
  guest: 'linux',
  abi: 'linux-virtio-1',
  arch: 'x86_64',
  root: { format: 'erofs', file: 'root.erofs', digest, bytes: 4096 },
  processes: { web: { argv: ['/bin/web'], cwd: '/' } },
  env: { SECRET: 'value' },
  ports: [8080],
  volumes: [],
  created: '2026-01-01T00:00:00.000Z',
  labels: {},
  findings: [],
  dir: '/images/one',
};

const kernel: KernelEntry & { dir: string } = {
  schema: 1,
  id: 'linux-6.1-000000000000',
  guest: 'linux',
  abi: 'linux-virtio-1',
  version: '6.1',
  arch: 'x86_64',
  digest,
  files: { kernel: 'vmlinux', initrd: 'initrd' },
  overhead_mb: 72,
  imported: '2026-01-01T00:00:00.000Z',
  dir: '/kernels/one',
};

test('a plan names the files, the disks in order and the channels', () => {
  expect(linux.plan(image, kernel, { memory_mb: 64, disk_mb: 100, cpus: 1 })).toEqual({
    guest: 'linux',
    arch: 'x86_64',
    kernel: '/kernels/one/vmlinux',
    initrd: '/kernels/one/initrd',
    cmdline:
      'console=ttyS0 reboot=t loglevel=6 panic=-1 cryptomgr.notests rcupdate.rcu_expedited=1 ' +
      'transparent_hugepage=madvise acpi=noirq pci=nomsi unik.memory_mb=64',
    disks: [
      { source: { kind: 'file', path: '/images/one/root.erofs' }, readonly: true },
      { source: { kind: 'scratch', bytes: 100 * 2 ** 20 }, readonly: false },
    ],
    channels: { kind: 'virtio-serial' },
  });
});

test('several processors need the interrupt routing that one does without', () => {
  const { cmdline } = linux.plan(image, kernel, { memory_mb: 64, disk_mb: 1, cpus: 2 });
  expect(cmdline).not.toMatch(/acpi|nomsi/);
});

test('nothing of the environment is on the command line', () => {
  expect(linux.plan(image, kernel, { memory_mb: 64, disk_mb: 1, cpus: 1 }).cmdline).not.toContain('SECRET');
});

test('every guest of the model is there under its own name', () => {
  expect(GUESTS.map((name) => guestNamed(name).name)).toEqual([...GUESTS]);
  expect(guestNamed('linux')).toBe(linux);
});

test.each([
  [32, 105],
  [64, 138],
  [1024, 1128],
])('an application of %i MB gets a machine of %i MB', (memory_mb, expected) => {
  expect(guestRamMb(kernel, memory_mb)).toBe(expected);
});
