import { access, constants, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { z } from 'zod';
import { readJsonFile, writeJsonFile } from '../../../core/json-file.js';
import type { Accelerator } from './args.js';

export interface AcceleratorChoice {
  accelerator: Accelerator;
  /** One line for people: why this one. */
  reason: string;
  kvm: 'absent' | 'denied' | 'broken' | 'works';
}

const cacheSchema = z.object({
  /** What the answer holds for: this boot of the host, this QEMU, this device's permissions. */
  valid_for: z.string(),
  choice: z.object({
    accelerator: z.enum(['kvm', 'tcg']),
    reason: z.string(),
    kvm: z.enum(['absent', 'denied', 'broken', 'works']),
  }),
});

/** A device that opens and even makes machines may still never run one; only a boot proves it. */
const PROBE_LIMIT_MS = 1_500;
/** isa-debug-exit turns the 0x31 that the boot sector writes into this exit code: (0x31 << 1) | 1. */
const PROVED = 99;

export interface AccelProbeOptions {
  home: string;
  path: string;
  program: string;
  /** QEMU's version line. */
  version: string;
  /** Default /dev/kvm. */
  device?: string;
}

/** Chooses the accelerator; asked once per boot of the host and version of QEMU, then remembered in `accel.json`. */
export async function chooseAccelerator(options: AccelProbeOptions, signal: AbortSignal): Promise<AcceleratorChoice> {
  const device = options.device ?? '/dev/kvm';
  const state = await deviceState(device);
  if (state !== 'open') {
    const reason = state === 'absent' ? `${device} does not exist` : `${device} may not be opened by this user`;
    return { accelerator: 'tcg', reason, kvm: state };
  }
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
  const valid_for = `${boot.trim()} ${options.version}`;
  const file = join(options.home, 'accel.json');
  const cached = cacheSchema.safeParse(await readJsonFile(file).catch(() => undefined));
  if (cached.success && cached.data.valid_for === valid_for) return cached.data.choice;
  const choice = await tryKvm(options, signal);
  await writeJsonFile(file, { valid_for, choice });
  return choice;
}

async function deviceState(device: string): Promise<'absent' | 'denied' | 'open'> {
  const may = (mode: number): Promise<boolean> =>
    access(device, mode).then(
      () => true,
      () => false,
    );
  if (!(await may(constants.F_OK))) return 'absent';
  return (await may(constants.R_OK | constants.W_OK)) ? 'open' : 'denied';
}

async function tryKvm(options: AccelProbeOptions, signal: AbortSignal): Promise<AcceleratorChoice> {
  const folder = await mkdtemp(join(options.home, 'probe-'));
  try {
    const image = join(folder, 'boot');
    await writeFile(image, bootSector());
    const outcome = await bootsOnKvm(options, image, signal);
    return outcome === undefined
      ? { accelerator: 'kvm', reason: 'a test machine booted under KVM', kvm: 'works' }
      : { accelerator: 'tcg', reason: `/dev/kvm is present but does not boot a machine: ${outcome}`, kvm: 'broken' };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Undefined: it boots. Else what happened instead. */
async function bootsOnKvm(options: AccelProbeOptions, image: string, signal: AbortSignal): Promise<string | undefined> {
  const result = await execa(
    options.program,
    [
      ...['-accel', 'kvm', '-cpu', 'host', '-M', 'pc', '-m', '32', '-nodefaults', '-no-user-config', '-no-reboot'],
      ...['-display', 'none', '-device', 'isa-debug-exit,iobase=0xf4,iosize=1'],
      ...['-drive', `file=${image},format=raw,if=ide,snapshot=on`],
    ],
    {
      reject: false,
      timeout: PROBE_LIMIT_MS,
      killSignal: 'SIGKILL',
      env: { PATH: options.path },
      extendEnv: false,
      cancelSignal: signal,
    },
  );
  signal.throwIfAborted();
  if (result.exitCode === PROVED) return undefined;
  if (result.timedOut) return `it hung for ${PROBE_LIMIT_MS} ms`;
  const words = result.stderr.trim().split('\n').at(-1) ?? '';
  return words || `QEMU ended with ${result.signal ?? result.exitCode ?? 'an error'}`;
}

/** 512 bytes: mov al,0x31; out 0xf4,al; hlt; jmp $-1; and the signature the firmware looks for. */
export function bootSector(): Buffer {
  const sector = Buffer.alloc(512);
  sector.set([0xb0, 0x31, 0xe6, 0xf4, 0xf4, 0xeb, 0xfd]);
  sector.set([0x55, 0xaa], 510);
  return sector;
}
