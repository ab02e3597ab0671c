import { join } from 'node:path';
import { writeErofs } from '../../images/erofs/write.js';
import type { Arch } from '../../model.js';
import type { Guest } from '../guest.js';

/** What an image for this guest asks of a kernel: our init, its channels and its two disks. */
export const LINUX_ABI = 'linux-virtio-1';

const MB = 1024 * 1024;

/**
 * Guest memory beside the application's, MB, by the file that the machine boots. Measured with Debian's 6.1 cloud
 * kernel: in a machine of 104 MB a program could fill 38 MB, so the kernel took 66 MB, either file alike; the rest is
 * room for its buffers. A larger machine needs more: see `guestRamMb`.
 */
export const LINUX_OVERHEAD_MB = { vmlinuz: 72, vmlinux: 72, arm64: 128 } as const;

/** What every machine's kernel is told. */
const PARAMETERS = [
  // The banner, notices and worse: the log begins with the kernel's own word, without a page of its progress.
  'loglevel=6',
  // A panic resets at once, and a reset ends a machine that may not reboot; `t` is the shortest way to one.
  'panic=-1',
  // Half a second of self-tests under emulation.
  'cryptomgr.notests',
  // Loading modules and mounting wait for grace periods, which one processor can have at once.
  'rcupdate.rcu_expedited=1',
  // Huge pages for who asks: handed out unasked they can push an application over its limit.
  'transparent_hugepage=madvise',
];

const CONSOLE: Record<Arch, readonly string[]> = {
  x86_64: ['console=ttyS0', 'reboot=t'],
  aarch64: ['console=ttyAMA0'],
};

/**
 * ACPI's interrupt routing costs a second under emulation, and the machine's few devices share the lines of the old
 * interrupt controller as well. That one knows a single processor and no message-signalled interrupts.
 */
const ONE_PROCESSOR = ['acpi=noirq', 'pci=nomsi'];

/** Of a machine elsewhere, on hardware we know nothing of. */
const ELSEWHERE = [
  'loglevel=6',
  // It must not boot again: what it says then is read, and its power is cut.
  'panic=0',
  ...['cryptomgr.notests', 'rcupdate.rcu_expedited=1', 'transparent_hugepage=madvise'],
  'unik.channel=serial',
];

/** Of one that boots from a disk. Boards boot from a network, and who provides them knows their consoles and ends. */
const DISK_PARAMETERS: Record<Arch, readonly string[]> = {
  x86_64: ['console=ttyS0', ...ELSEWHERE, 'edd=off', 'unik.disk=gpt', 'unik.end=poweroff'],
  aarch64: ELSEWHERE,
};

/** One application on the distribution's kernel. See docs/guest-protocol.md and `init/`. */
export const linux: Guest = {
  name: 'linux',
  abi: LINUX_ABI,
  capabilities: {
    ...{ signals: true, exitStatus: true, stderrApart: true, fork: true, maxCpus: 16 },
    ...{ files: true, writes: 'disk', onlyPositionIndependent: false, unsupported: [] },
    // Of the cloud kernel, which has no AHCI, e1000 or Fusion; then those of boards.
    devices: {
      network: ['virtio-net', 'ena', 'vmxnet3', 'bcmgenet', 'macb', 'smsc95xx', 'lan78xx'],
      disk: ['virtio-blk', 'virtio-scsi', 'nvme', 'pvscsi', 'ide'],
    },
  },
  root: {
    format: 'erofs',
    file: 'root.erofs',
    write: (tree, path, signal) => writeErofs(tree, path, signal),
  },
  plan(image, kernel, limits) {
    const root = join(image.dir, image.root.file);
    const { disk_kernel, disk_initrd } = kernel.files;
    return {
      guest: 'linux',
      arch: image.arch,
      kernel: join(kernel.dir, kernel.files.kernel),
      ...(kernel.files.initrd === undefined ? {} : { initrd: join(kernel.dir, kernel.files.initrd) }),
      cmdline: [
        ...CONSOLE[image.arch],
        ...PARAMETERS,
        ...(limits.cpus > 1 || image.arch !== 'x86_64' ? [] : ONE_PROCESSOR),
        `unik.memory_mb=${limits.memory_mb}`,
      ].join(' '),
      disks: [
        { source: { kind: 'file', path: root }, readonly: true },
        { source: { kind: 'scratch', bytes: limits.disk_mb * MB }, readonly: false },
      ],
      channels: { kind: 'virtio-serial' },
      ...(disk_kernel === undefined || disk_initrd === undefined
        ? {}
        : {
            disk: {
              kernel: join(kernel.dir, disk_kernel),
              initrd: join(kernel.dir, disk_initrd),
              root,
              cmdline: DISK_PARAMETERS[image.arch].join(' '),
            },
          }),
    };
  },
};
