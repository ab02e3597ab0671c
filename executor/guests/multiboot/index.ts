import { join } from 'node:path';
import { UnikError } from '../../../core/errors.js';
import type { InstanceConfig } from '../../model.js';
import type { Guest } from '../guest.js';
import { ONE_PROGRAM } from '../one-program.js';

export const MULTIBOOT_ABI = 'multiboot-1';

/** Any kernel that a multiboot loader starts: it is the image, and its command line is the process's arguments. */
export const multiboot: Guest = {
  name: 'multiboot',
  abi: MULTIBOOT_ABI,
  ownKernel: { overhead_mb: 16 },
  capabilities: {
    ...ONE_PROGRAM,
    ...{ signals: false, exitStatus: true, stderrApart: false, files: false, writes: 'none', maxCpus: 16 },
    environmentBytes: 0,
    devices: { network: ['virtio-net'], disk: [] },
  },
  // Nobody but the kernel writes there, and what it writes is what its user wants to read.
  kernelLines: /^(SeaBIOS|Booting from)/,
  plan(image) {
    return {
      guest: 'multiboot',
      arch: image.arch,
      kernel: join(image.dir, image.root.file),
      cmdline: '',
      noEntropy: true,
      disks: [],
      channels: { kind: 'serial' },
      exitPort: 0xf4,
      configure: (config) => ({ cmdline: commandLine(config) }),
    };
  },
};

/** The words after the kernel's own name, as they are: there is no rule for quotes that all kernels know. */
export function commandLine({ argv }: Pick<InstanceConfig, 'argv'>): string {
  for (const word of argv.slice(1)) {
    if (/[\s\0]/.test(word)) throw new UnikError('bad_request', `the argument ${JSON.stringify(word)} holds a blank`);
  }
  return argv.slice(1).join(' ');
}
