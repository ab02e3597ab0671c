import { join } from 'node:path';
import type { Guest } from '../guest.js';

/** What an image for this guest asks of a kernel: our init, its channels and its two disks. */
export const LINUX_ABI = 'linux-virtio-1';

const MB = 1024 * 1024;

/**
 * Guest memory beside the application's, MB, by the file the machine boots. Measured.
 */
const OVERHEAD_MB = { bzImage: 80, vmlinux: 80 } as const;

export function linuxOverheadMb(kind: keyof typeof OVERHEAD_MB): number {
  return OVERHEAD_MB[kind];
}

/**
 * Kernel parameters. `panic=-1` resets at once, which ends a machine that may not reboot; `reboot=t` resets by the
 * shortest way.
 */
const PARAMETERS = ['console=ttyS0', 'panic=-1', 'reboot=t'];

/** One application on the distribution's kernel. See docs/guest-protocol.md and `init/`. */
export const linux: Guest = {
  name: 'linux',
  capabilities: { signals: true, exitStatus: true, stderrApart: true, fork: true, maxCpus: 16 },
  plan(image, kernel, limits) {
    return {
      guest: 'linux',
      arch: image.arch,
      kernel: join(kernel.dir, kernel.files.kernel),
      ...(kernel.files.initrd === undefined ? {} : { initrd: join(kernel.dir, kernel.files.initrd) }),
      cmdline: [...PARAMETERS, `unik.memory_mb=${limits.memory_mb}`].join(' '),
      disks: [
        { source: { kind: 'file', path: join(image.dir, image.root.file) }, readonly: true },
        { source: { kind: 'scratch', bytes: limits.disk_mb * MB }, readonly: false },
      ],
      channels: { kind: 'virtio-serial' },
    };
  },
};
