import { join } from 'node:path';
import { UnikError } from '../../../core/errors.js';
import type { InstanceConfig } from '../../model.js';
import type { Guest } from '../guest.js';
import { ONE_PROGRAM } from '../one-program.js';
import { fillTemplate } from './template.js';

export const SOLO5_ABI = 'solo5-virtio-1';

/** What fits with the name of the kernel and the zero at its end. */
const MOST_BYTES = 8_000;

/** A program linked to Solo5, such as one of MirageOS: the image is the kernel. Its arguments come from a template. */
export const solo5: Guest = {
  name: 'solo5',
  abi: SOLO5_ABI,
  ownKernel: { overhead_mb: 8 },
  capabilities: {
    ...ONE_PROGRAM,
    ...{ signals: false, exitStatus: true, stderrApart: false, files: false, writes: 'none' },
    environmentBytes: MOST_BYTES,
    devices: { network: ['virtio-net'], disk: ['virtio-blk'] },
  },
  kernelLines: /^(Solo5: | *\|? *___\||[ _|/\\()'`-]+$|SeaBIOS|Booting from)/,
  plan(image) {
    return {
      guest: 'solo5',
      arch: image.arch,
      kernel: join(image.dir, image.root.file),
      cmdline: '',
      noEntropy: true,
      // A device that the program does not declare aborts it; one that declares no network has no ports.
      noNetwork: image.ports.length === 0,
      disks: [],
      channels: { kind: 'serial' },
      configure: (config) => ({ cmdline: argumentsOf(config) }),
      endSigns: [
        // The kernel halts after either, and the machine goes on.
        {
          pattern: 'Solo5: solo5_exit\\((\\d+)\\) called',
          reason: 'exited',
          message: 'the application ended with status $1',
          hasCode: true,
          cut: true,
        },
        {
          pattern: 'Solo5: solo5_abort\\(\\) called()',
          reason: 'kernel_panic',
          message: 'the application aborted',
          cut: true,
        },
        {
          pattern: 'Solo5: (?:ABORT|PANIC|trap)(.*)',
          reason: 'kernel_panic',
          message: 'the kernel aborted$1',
          cut: true,
        },
        { pattern: 'ABORT: (.*)', reason: 'kernel_panic', message: 'the kernel aborted: $1', cut: true },
      ],
    };
  },
};

function argumentsOf(config: InstanceConfig): string {
  const line = fillTemplate(config).join(' ');
  if (Buffer.byteLength(line) <= MOST_BYTES) return line;
  throw new UnikError(
    'environment_too_large',
    `the arguments take ${Buffer.byteLength(line)} bytes, the guest solo5 takes ${MOST_BYTES}`,
  );
}
