import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UnikError } from '../../../core/errors.js';
import { mbr } from '../../images/mbr.js';
import { writeRofs } from '../../images/rofs/write.js';
import type { InstanceConfig } from '../../model.js';
import type { Image } from '../../images/image.js';
import type { BootPlan, Guest } from '../guest.js';
import { ONE_PROGRAM } from '../one-program.js';
import { commandLine } from './command-line.js';

export const OSV_ABI = 'osv-rofs-1';

const SECTOR = 512;
/** Where the root's partition starts. */
export const START = 4 * 1024 * 1024;
/** Before it the boot sector's code; behind it the command line, then the packed kernel. */
const CODE_BYTES = 446;
const KERNEL_AT = 128 * SECTOR;
const PARTITION = { index: 2, active: false, type: 0x83, start: START / SECTOR };

/** What the kernel mounts; the second partition of the first disk is the root. */
const FSTAB = [
  '/dev/vblk0.1 / rofs defaults 0 0',
  'devfs /dev devfs defaults 0 0',
  'procfs /proc procfs defaults 0 0',
  'sysfs /sys sysfs defaults 0 0',
  'ramfs /tmp ramfs defaults 0 0',
  '',
].join('\n');

/** OSv: a Linux program on a read-only root; everything it is told stands in its command line. */
export const osv: Guest = {
  name: 'osv',
  abi: OSV_ABI,
  capabilities: {
    ...ONE_PROGRAM,
    ...{ signals: false, exitStatus: false, stderrApart: false, files: true, writes: 'none', maxCpus: 16 },
    unsupported: [...ONE_PROGRAM.unsupported, 'capget', 'capset'],
    environmentBytes: 32_000,
    devices: {
      network: ['virtio-net', 'vmxnet3', 'ena', 'xen-net'],
      disk: ['virtio-blk', 'virtio-scsi', 'nvme', 'ahci', 'ide', 'pvscsi', 'xen-blk'],
    },
  },
  kernelLines:
    /^(OSv |eth\d+: |Booted up in|Cmdline: |Failed to load object|Could not mount|SeaBIOS|Booting from|VFS: )/,
  root: {
    format: 'rofs',
    file: 'root.rofs',
    prepare: (tree) => {
      tree.file('/etc/fstab', FSTAB);
      for (const folder of ['/dev', '/proc', '/sys', '/tmp', '/data']) tree.folder(folder);
    },
    write: (tree, path, signal) => writeRofs(tree, path, { head, signal }),
  },
  plan(image, kernel) {
    const root = join(image.dir, image.root.file);
    const { head } = kernel.files;
    return {
      guest: 'osv',
      arch: image.arch,
      cmdline: '',
      ...(head === undefined
        ? byKernel(root, join(kernel.dir, kernel.files.kernel))
        : byDisk(image, root, join(kernel.dir, head))),
      channels: { kind: 'serial' },
      endSigns: [
        { pattern: '(Failed to load object: .*)', reason: 'boot_failed', message: '$1' },
        { pattern: '(Could not mount rofs.*)', reason: 'boot_failed', message: '$1' },
        { pattern: '(Neither paravirtual clock nor HPET.*)', reason: 'boot_failed', message: '$1', cut: true },
        {
          pattern: 'page fault outside application(.*)',
          reason: 'kernel_panic',
          message: 'the application crashed$1',
          cut: true,
        },
        { pattern: '\\[backtrace\\](.*)', reason: 'kernel_panic', message: 'the application crashed', cut: true },
        { pattern: 'Aborted(.*)', reason: 'kernel_panic', message: 'the application aborted', cut: true },
      ],
    };
  },
};

type Start = Pick<BootPlan, 'kernel' | 'disks' | 'configure'>;

/** QEMU loads the kernel itself, which is fast and leaves room for little. */
function byKernel(path: string, kernel: string): Start {
  return {
    kernel,
    disks: [{ source: { kind: 'file', path }, readonly: true }],
    configure: (config) => ({ cmdline: commandLine(noFiles(config), 'pvh') }),
  };
}

/** The disk starts with the kernel's own loader, and the command line lies behind its first sector. */
function byDisk({ root }: Image, path: string, loader: string): Start {
  return {
    disks: [{ source: { kind: 'overlay', path, bytes: root.bytes }, readonly: false }],
    configure: (config) => {
      const content = readFileSync(loader);
      const line = Buffer.alloc(KERNEL_AT / 2 - SECTOR);
      line.write(commandLine(noFiles(config), 'bios'));
      return {
        patches: [
          { disk: 0, offset: 0, content: content.subarray(0, CODE_BYTES) },
          { disk: 0, offset: SECTOR, content: line },
          { disk: 0, offset: KERNEL_AT, content: content.subarray(KERNEL_AT) },
        ],
      };
    },
  };
}

function head(bytes: number): Buffer {
  return Buffer.concat([mbr([{ ...PARTITION, sectors: bytes / SECTOR }]), Buffer.alloc(START - SECTOR)]);
}

function noFiles(config: InstanceConfig): InstanceConfig {
  if (Object.keys(config.files).length === 0) return config;
  throw new UnikError('bad_request', 'files: the guest osv takes no files at start; put them into the image');
}
