import { join } from 'node:path';
import { UnikError } from '../../../core/errors.js';
import type { Guest } from '../guest.js';
import { ONE_PROGRAM } from '../one-program.js';
import { rumpConfig } from './config.js';

export const RUMPRUN_ABI = 'rumprun-1';

/** Below the limit that the platform's boot code has for its command line. */
const MOST_BYTES = 16_000;

/** A program baked with rumprun: the image is the kernel, and its configuration stands in the command line as JSON. */
export const rumprun: Guest = {
  name: 'rumprun',
  abi: RUMPRUN_ABI,
  ownKernel: { overhead_mb: 32 },
  capabilities: {
    ...ONE_PROGRAM,
    ...{ signals: false, exitStatus: false, stderrApart: false, files: false, writes: 'none' },
    environmentBytes: MOST_BYTES,
    devices: { network: ['virtio-net', 'e1000'], disk: ['virtio-blk'] },
  },
  kernelLines:
    /^(rump kernel bare metal|Copyright \(c\)|The NetBSD Foundation|NetBSD \d|total memory|timecounter|mainbus|cpu\d|ioapic|pci\d|virtio\d|vioif\d|ld\d|wm\d|=== |x86_|SeaBIOS|Booting from)/,
  plan(image) {
    return {
      guest: 'rumprun',
      arch: image.arch,
      kernel: join(image.dir, image.root.file),
      cmdline: '',
      noEntropy: true,
      disks: [],
      channels: { kind: 'serial' },
      configure: (config) => {
        const cmdline = rumpConfig(config);
        if (Buffer.byteLength(cmdline) <= MOST_BYTES) return { cmdline };
        throw new UnikError(
          'environment_too_large',
          `the configuration takes ${Buffer.byteLength(cmdline)} bytes, the guest rumprun takes ${MOST_BYTES}`,
        );
      },
      endSigns: [
        {
          pattern: '=== main\\(\\) of .* returned (\\d+) ===',
          reason: 'exited',
          message: 'the application ended with status $1',
          hasCode: true,
          cut: true,
        },
        {
          pattern: '=== _exit\\((\\d+)\\) called ===',
          reason: 'exited',
          message: 'the application ended with status $1',
          hasCode: true,
          cut: true,
        },
        { pattern: 'panic: (.*)', reason: 'kernel_panic', message: 'the kernel panicked: $1', cut: true },
      ],
    };
  },
};
