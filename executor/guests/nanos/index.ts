import { join } from 'node:path';
import { UnikError } from '../../../core/errors.js';
import { entryAt, partitionEntry } from '../../images/mbr.js';
import { tuple, type Tuple } from '../../images/tfs/encode.js';
import { instanceExtension, resolverSector } from '../../images/tfs/instance.js';
import { SECTOR } from '../../images/tfs/log.js';
import { INSTANCE, RESOLVER_PATH, writeTfs } from '../../images/tfs/write.js';
import type { InstanceConfig, InstanceNet } from '../../model.js';
import type { Guest } from '../guest.js';
import { dotted } from '../net-words.js';
import { ONE_PROGRAM } from '../one-program.js';
import { HEAD_BYTES } from './head.js';

export const NANOS_ABI = 'nanos-1';

const MB = 1024 * 1024;
const LINUX_PARTITION = 0x83;

/**
 * Nanos: a Linux program as it is, on a disk of our own making. The disk starts with a hole that the kernel fills, then
 * the image's file system; both, and the instance's configuration, are put over the shared image for each machine.
 */
export const nanos: Guest = {
  name: 'nanos',
  abi: NANOS_ABI,
  capabilities: {
    ...ONE_PROGRAM,
    ...{ signals: true, exitStatus: true, stderrApart: false, files: true, writes: 'disk', maxCpus: 16 },
    environmentBytes: (INSTANCE.sectors - 1) * SECTOR,
    devices: {
      network: ['virtio-net', 'vmxnet3', 'ena', 'gvnic', 'netvsc', 'xen-net'],
      disk: ['virtio-blk', 'virtio-scsi', 'pvscsi', 'nvme', 'ide', 'storvsc', 'xen-blk'],
    },
  },
  kernelLines: /^(\[\d+\.\d+[\],]|en\d+: |NET: |OOM|program startup failed|frame |\*\*\* |SeaBIOS|Booting from)/,
  root: {
    format: 'tfs',
    file: 'root.tfs',
    prepare: (tree) => tree.file(RESOLVER_PATH, ''),
    write: (tree, path, signal) => writeTfs(tree, path, { before: HEAD_BYTES, signal }),
  },
  plan(image, kernel, limits) {
    const { head } = kernel.files;
    if (head === undefined)
      throw new UnikError('kernel_invalid', `kernel ${kernel.id} was imported without its boot blob`);
    const bytes = roundUp(image.root.bytes, SECTOR) + limits.disk_mb * MB;
    return {
      guest: 'nanos',
      arch: image.arch,
      cmdline: '',
      disks: [{ source: { kind: 'overlay', path: join(image.dir, image.root.file), bytes }, readonly: false }],
      channels: { kind: 'serial' },
      powerButton: true,
      exitPort: 0x501,
      configure: (config) => ({
        patches: [
          { disk: 0, offset: 0, content: { from: join(kernel.dir, head) } },
          { disk: 0, offset: entryAt(2), content: rootPartition(bytes) },
          { disk: 0, offset: HEAD_BYTES + INSTANCE.sector * SECTOR, content: instanceExtension(attributes(config)) },
          { disk: 0, offset: HEAD_BYTES + INSTANCE.resolver * SECTOR, content: resolverSector(config.net.dns) },
        ],
      }),
      endSigns: [
        { pattern: '(OOM|result:out of memory)', reason: 'oom', message: 'out of memory' },
        {
          pattern: 'program startup failed on exec: ?(.*)',
          reason: 'boot_failed',
          message: 'the program cannot be started: $1',
        },
        {
          pattern: 'error while loading shared libraries: (.*)',
          reason: 'boot_failed',
          message: 'the program cannot be started: $1',
        },
        {
          pattern: '\\*\\*\\* signal (\\d+) received',
          reason: 'exited',
          message: 'the application ended by signal $1',
        },
      ],
    };
  },
};

function rootPartition(bytes: number): Buffer {
  const start = HEAD_BYTES / SECTOR;
  return partitionEntry({ active: true, type: LINUX_PARTITION, start, sectors: Math.floor(bytes / SECTOR) - start });
}

/** What the kernel reads of the root tuple, for one instance. Throws bad_request. */
function attributes({ argv, cwd, env, net, files }: InstanceConfig): Tuple {
  if (Object.keys(files).length > 0) {
    throw new UnikError('bad_request', 'files: the guest nanos takes no files at start; put them into the image');
  }
  // A map: a variable may be called `__proto__`, and names may hold any characters.
  const environment: Tuple = new Map(
    Object.entries(env).map(([name, value]) => [Buffer.from(name).toString('latin1'), value]),
  );
  return new Map([
    ...tuple({ program: argv[0] ?? '', arguments: argv, environment, cwd, debug_exit: 't' }),
    ...network(net),
  ]);
}

function network({ mode, address, gateway }: InstanceNet): Tuple {
  if (mode !== 'static' || address === undefined) return new Map();
  const { address: ipaddr, mask } = dotted(address);
  return tuple({ en1: tuple({ ipaddr, netmask: mask, ...(gateway === undefined ? {} : { gateway }) }) });
}

const roundUp = (value: number, unit: number): number => Math.ceil(value / unit) * unit;
