import { join } from 'node:path';
import { UnikError } from '../../../core/errors.js';
import { mbr } from '../../images/mbr.js';
import { writeRofs } from '../../images/rofs/write.js';
import type { InstanceConfig } from '../../model.js';
import type { Guest } from '../guest.js';
import { ONE_PROGRAM } from '../one-program.js';
import { commandLine } from './command-line.js';
import { encodeSettings, SETTINGS_AT, SETTINGS_BYTES, SETTLE_PATH, settleProgram } from './settle.js';

export const OSV_ABI = 'osv-rofs-2';

const SECTOR = 512;
/** Where the root's partition starts; before it lies what the instance is told. */
const START = 2 * 1024 * 1024;
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

/** OSv: a Linux program on a read-only root; a program of ours sets its variables, which lie on the disk before it. */
export const osv: Guest = {
  name: 'osv',
  abi: OSV_ABI,
  capabilities: {
    ...ONE_PROGRAM,
    ...{ signals: false, exitStatus: false, stderrApart: false, files: true, writes: 'none', maxCpus: 16 },
    unsupported: [...ONE_PROGRAM.unsupported, 'capget', 'capset'],
    environmentBytes: SETTINGS_BYTES - 6,
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
      tree.file(SETTLE_PATH, settleProgram(), 0o755);
      for (const folder of ['/dev', '/proc', '/sys', '/tmp', '/data']) tree.folder(folder);
    },
    write: (tree, path, signal) => writeRofs(tree, path, { head, signal }),
  },
  plan(image, kernel) {
    const path = join(image.dir, image.root.file);
    return {
      guest: 'osv',
      arch: image.arch,
      kernel: join(kernel.dir, kernel.files.kernel),
      cmdline: '',
      disks: [{ source: { kind: 'overlay', path, bytes: image.root.bytes }, readonly: false }],
      channels: { kind: 'serial' },
      configure: (config) => ({
        cmdline: commandLine(noFiles(config)),
        patches: [{ disk: 0, offset: SETTINGS_AT, content: encodeSettings(config.env) }],
      }),
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

function head(bytes: number): Buffer {
  return Buffer.concat([mbr([{ ...PARTITION, sectors: bytes / SECTOR }]), Buffer.alloc(START - SECTOR)]);
}

function noFiles(config: InstanceConfig): InstanceConfig {
  if (Object.keys(config.files).length === 0) return config;
  throw new UnikError('bad_request', 'files: the guest osv takes no files at start; put them into the image');
}
