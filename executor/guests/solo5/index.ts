import { join } from 'node:path';
import { UnikError } from '../../../core/errors.js';
import type { Image } from '../../images/image.js';
import { TENDERS, type InstanceConfig } from '../../model.js';
import type { EndSign, Guest, Tender } from '../guest.js';
import { ONE_PROGRAM } from '../one-program.js';
import type { Solo5Manifest } from './manifest.js';
import { fillTemplate } from './template.js';

/** What an image asks of who runs it. */
export const solo5Abi = ({ target, abi }: Pick<Solo5Manifest, 'target' | 'abi'>): string => `solo5-${target}-${abi}`;

/** What fits with the name of the kernel and the zero at its end. */
const MOST_BYTES = 8_000;

/** A program linked to Solo5, such as one of MirageOS: the image is the kernel. Its arguments come from a template. */
export const solo5: Guest = {
  name: 'solo5',
  abi: solo5Abi({ target: 'virtio', abi: 1 }),
  ownKernel: { overhead_mb: 8 },
  capabilities: {
    ...ONE_PROGRAM,
    ...{ signals: false, exitStatus: true, stderrApart: false, files: false, writes: 'none' },
    environmentBytes: MOST_BYTES,
    devices: { network: ['virtio-net'], disk: ['virtio-blk'] },
  },
  kernelLines: /^(Solo5: | *\|? *___\||[ _|/\\()'`-]+$|SeaBIOS|Booting from)/,
  plan(image) {
    const tender = tenderOf(image);
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
      // On virtio the kernel halts, and the machine goes on.
      endSigns: tender ? END_SIGNS : END_SIGNS.map((sign) => ({ ...sign, cut: true })),
      ...(tender ? { tender } : {}),
    };
  },
};

const END_SIGNS: readonly EndSign[] = [
  {
    pattern: 'Solo5: solo5_exit\\((\\d+)\\) called',
    reason: 'exited',
    message: 'the application ended with status $1',
    hasCode: true,
  },
  { pattern: 'Solo5: solo5_abort\\(\\) called()', reason: 'kernel_panic', message: 'the application aborted' },
  { pattern: 'Solo5: (?:ABORT|PANIC|trap)(.*)', reason: 'kernel_panic', message: 'the kernel aborted$1' },
  { pattern: 'ABORT: (.*)', reason: 'kernel_panic', message: 'the kernel aborted: $1' },
];

/** Undefined: it is for virtio. */
function tenderOf({ abi, networks = [] }: Image): Tender | undefined {
  const name = TENDERS.find((tender) => abi.startsWith(`${tender}-`));
  return name && { name, networks };
}

function argumentsOf(config: InstanceConfig): string {
  const line = fillTemplate(config).join(' ');
  if (Buffer.byteLength(line) <= MOST_BYTES) return line;
  throw new UnikError(
    'environment_too_large',
    `the arguments take ${Buffer.byteLength(line)} bytes, the guest solo5 takes ${MOST_BYTES}`,
  );
}
