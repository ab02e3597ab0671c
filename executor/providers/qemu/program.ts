import type { BootPlan, Configured } from '../../guests/guest.js';
import type { MachineSpec } from '../provider.js';
import { FILES, PROGRAMS, qemuArgs, type NetDevice } from './args.js';
import type { LaunchOptions } from './launch.js';
import type { MachineRecord } from './record.js';
import { tenderArgs } from './tender.js';

/** The program of a machine, and what it is started with. Pure. */
export function programFor(
  { boot, key, limits, ram_mb }: MachineSpec,
  { accelerator }: Pick<MachineRecord, 'accelerator'>,
  net: NetDevice,
  configured: Configured,
): Pick<LaunchOptions, 'program' | 'args' | 'output'> {
  const { tender, kernel, initrd, exitPort, arch, disks, channels, cpuFeatures = [], noEntropy = false } = boot;
  const cmdline = configured.cmdline ?? boot.cmdline;
  if (tender) return { program: tender.name, args: tenderArgs(tender, { ram_mb, net, cmdline }), output: FILES.serial };
  const args = qemuArgs({
    key,
    boot: {
      ...{ arch, cmdline, disks, channels, cpuFeatures, noEntropy },
      waits: secretLine(boot, configured) !== undefined,
      ...{ kernel: kernel !== undefined, initrd: initrd !== undefined },
      ...(exitPort === undefined ? {} : { exitPort }),
    },
    ram_mb,
    cpus: limits.cpus,
    accelerator: accelerator === 'kvm' ? 'kvm' : 'tcg',
    net: boot.noNetwork ? { kind: 'none' } : net,
  });
  return { program: PROGRAMS[arch], args };
}

/** Where a command line is the only channel it holds the environment, and everybody can read QEMU's own. */
export function secretLine({ channels, tender }: BootPlan, { cmdline }: Configured): string | undefined {
  return channels.kind === 'serial' && !tender ? cmdline : undefined;
}
