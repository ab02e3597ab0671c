import { execa } from 'execa';
import { existsSync, mkdtempSync, readdirSync } from 'node:fs';
import { copyFile, mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../core/clock.js';
import { noLog } from '../../core/log.js';
import { linux } from '../../executor/guests/linux/index.js';
import { KernelCatalogue, type StoredKernel } from '../../executor/kernels/catalogue.js';
import { guestRamMb } from '../../executor/kernels/ram.js';
import type { InstanceConfig } from '../../executor/model.js';
import { startRaw, type RawMachine, type RawOptions } from './raw-qemu.js';

const ROOT = join(import.meta.dirname, '../..');

/** Why the guest cannot be booted here; undefined when it can. Setup brings what is missing. */
export function whyNoGuest(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(':');
  for (const tool of ['qemu-system-x86_64', 'mkfs.erofs', 'mke2fs', 'musl-gcc']) {
    if (!folders.some((folder) => existsSync(join(folder, tool)))) return `${tool} is not installed`;
  }
  return unpackedKernels().length > 0 ? undefined : 'no kernel package is unpacked in .assets/kernel';
}

function unpackedKernels(): string[] {
  const store = join(ROOT, '.assets/kernel');
  return existsSync(store) ? readdirSync(store).filter((name) => !name.startsWith('.')) : [];
}

/** The catalogue's entry of the unpacked kernel with the init of this source tree, made once for all test files. */
export async function testKernel(): Promise<StoredKernel> {
  const { stdout } = await execa('node', [join(ROOT, 'scripts/guest-init.mjs')]);
  const [source, init] = stdout.trim().split('\n').reverse();
  const catalogue = new KernelCatalogue({ dir: join(ROOT, '.assets/test-kernels'), clock: systemClock, log: noLog });
  return catalogue.importLinux(source ?? '', init ?? '');
}

/** The test program in a root file system of its own, in a temporary folder. */
export async function probeRoot(): Promise<{ root: string; remove: () => Promise<void> }> {
  const dir = mkdtempSync(join(tmpdir(), 'unik-probe-'));
  const tree = join(dir, 'tree');
  await mkdir(join(tree, 'bin'), { recursive: true });
  const source = join(ROOT, 'test/fixtures/guest/probe.c');
  await execa('musl-gcc', ['-static', '-Os', '-Wall', '-Wextra', '-Werror', '-s', source, '-o', join(dir, 'probe')]);
  await copyFile(join(dir, 'probe'), join(tree, 'bin/probe'));
  await execa('mkfs.erofs', ['-T0', '--force-uid=2000', '--force-gid=2000', join(dir, 'root.erofs'), tree]);
  return { root: join(dir, 'root.erofs'), remove: () => rm(dir, { recursive: true, force: true }) };
}

export interface BootOptions extends Partial<RawOptions> {
  memory_mb?: number;
  cpus?: number;
}

/** Powers a machine on as a provider would: by the guest's own plan. */
export async function bootGuest(kernel: StoredKernel, root: string, options: BootOptions = {}): Promise<RawMachine> {
  const { memory_mb = 32, cpus = 1, ...raw } = options;
  const image = { root: { file: 'root.erofs' }, dir: '/', arch: 'x86_64' } as Parameters<typeof linux.plan>[0];
  const plan = linux.plan(image, kernel, { memory_mb, cpus, disk_mb: 16 });
  return startRaw({
    kernel: plan.kernel ?? '',
    ...(plan.initrd === undefined ? {} : { initrd: plan.initrd }),
    cmdline: plan.cmdline,
    root,
    ram_mb: guestRamMb(kernel, memory_mb),
    ...raw,
    more: ['-smp', String(cpus), ...(raw.more ?? [])],
  });
}

/** An instance config that runs the test program; without network. */
export function probeConfig(argv: string[], rest: Partial<InstanceConfig> = {}): InstanceConfig {
  return {
    schema: 1,
    argv: ['/bin/probe', ...argv],
    cwd: '/',
    env: {},
    hostname: 'probe',
    net: { mode: 'none', dns: [] },
    mounts: [],
    files: {},
    ...rest,
  };
}
