import { join } from 'node:path';
import { UnikError } from '../../../core/errors.js';
import { writeCpio } from '../../images/cpio/write.js';
import type { InstanceConfig } from '../../model.js';
import type { Configured, Guest } from '../guest.js';
import { ONE_PROGRAM } from '../one-program.js';
import { kernelLine } from './command-line.js';
import { encodeConfig, LAUNCHER_PATH, launcher } from './launcher.js';

/** An ELF loader of Unikraft, and our launcher in the image. */
export const UNIKRAFT_ABI = 'unikraft-elfloader-1';

const MB = 1024 * 1024;

/**
 * Unikraft's ELF loader: a Linux program as it is, in one address space with the kernel. See `launch/` for how
 * configuration gets in and how the end of the application is known.
 */
export const unikraft: Guest = {
  name: 'unikraft',
  abi: UNIKRAFT_ABI,
  capabilities: {
    ...ONE_PROGRAM,
    ...{ signals: false, exitStatus: true, stderrApart: true, files: true, writes: 'memory' },
    onlyPositionIndependent: true,
    // No drivers for any other card: the application then says that it listens, and nothing arrives.
    devices: { network: ['virtio-net'], disk: [] },
  },
  // The network's lines start with the two letters of a name that it may lack.
  kernelLines:
    /^(\[ *\d+\.\d+\] |(en| {2}|\0\0)\d+: (Added|Removed|Link is|Interface is|Set IPv)|en\d+: |Powered by |Unikraft |SeaBIOS|Booting from)/,
  // The archive as it was loaded, and the files unpacked from it.
  rootMemoryMb: (bytes) => Math.ceil((bytes * 2) / MB),
  root: {
    format: 'cpio',
    file: 'root.cpio',
    prepare: (tree) => {
      tree.file(LAUNCHER_PATH, launcher(), 0o755);
      // The kernel writes name servers and hosts there itself.
      for (const name of ['resolv.conf', 'hosts']) tree.folder('/etc').children.delete(name);
    },
    write: (tree, path, signal) => writeCpio(tree, path, signal),
  },
  plan(image, kernel) {
    const { limits } = kernel;
    const launches = limits?.launcher !== false;
    return {
      guest: 'unikraft',
      arch: image.arch,
      kernel: join(kernel.dir, kernel.files.kernel),
      initrd: join(image.dir, image.root.file),
      cmdline: '',
      noEntropy: true,
      disks: [],
      channels: launches ? { kind: 'firmware' } : { kind: 'serial' },
      // It maps memory in pages of 1 GiB, and without them is gone before its first line.
      cpuFeatures: ['pdpe1gb'],
      configure: (config) => (launches ? byFirmware(config) : byCommandLine(config, limits.variables?.count)),
      endSigns: [
        {
          pattern:
            'CRIT: (?:\\[[^\\]]*\\] )?(?:<[^>]*> )?((?:page fault|Unhandled|trap|invalid|general protection|Assertion|divi).*)',
          reason: 'kernel_panic',
          message: 'the application crashed: $1',
          cut: true,
        },
        {
          pattern: 'CRIT: (.*)',
          reason: 'kernel_panic',
          message: 'the application or its kernel crashed: $1',
          cut: true,
        },
        { pattern: 'ERR: .*Failed to (.*)', reason: 'boot_failed', message: 'the kernel could not $1' },
      ],
    };
  },
};

function byFirmware(config: InstanceConfig): Configured {
  return { cmdline: kernelLine(config.net, config.hostname, [], [LAUNCHER_PATH]), file: encodeConfig(config) };
}

/** For a kernel in which the launcher does not run: what does not fit is refused, as the kernel would drop it. */
function byCommandLine(config: InstanceConfig, most = 0): Configured {
  const env = Object.entries({ ...config.env, PWD: config.cwd });
  if (env.length > most) {
    throw new UnikError(
      'kernel_limit',
      `the kernel takes ${most} variables and would drop the rest without a word; the application has ${env.length}`,
    );
  }
  const variables = env.map(([name, value]) => `${name}=${value}`);
  return { cmdline: kernelLine(config.net, config.hostname, variables, config.argv) };
}
