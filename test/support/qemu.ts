import { execa } from 'execa';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../core/clock.js';
import { noLog } from '../../core/log.js';
import { linux } from '../../executor/guests/linux/index.js';
import { KernelCatalogue, type StoredKernel } from '../../executor/kernels/catalogue.js';
import type { Arch, NetworkSpec } from '../../executor/model.js';
import type { MachineSpec } from '../../executor/providers/provider.js';
import { anImage } from './executor.js';

/** What the machines of one test file boot: made once, removed with `close`. */
export interface Bench {
  arch: Arch;
  /** Empty homes below it. */
  dir: string;
  kernel: StoredKernel;
  close(): Promise<void>;
}

/** Compiles `test/fixtures/qemu/app.c` to a root of its own, and imports the kernel that setup unpacked, or the one for arm64. */
export async function makeBench(arch: Arch = 'x86_64'): Promise<Bench> {
  const dir = await mkdtemp(join(tmpdir(), 'unik-qemu-'));
  const { stdout } = await execa('node', ['scripts/guest-init.mjs', ...(arch === 'aarch64' ? ['arm64'] : [])]);
  // The paths come last; before them it may say what it does.
  const [init = '', kernelFolder = ''] = stdout.split('\n').filter((line) => line.startsWith('/'));
  const catalogue = new KernelCatalogue({ dir: join(dir, 'kernels'), clock: systemClock, log: noLog });
  const kernel = await catalogue.importLinux(kernelFolder, init);
  await mkdir(join(dir, 'root/bin'), { recursive: true });
  for (const name of ['dev', 'proc', 'sys', 'run', 'tmp', 'etc']) await mkdir(join(dir, 'root', name));
  const compiler = arch === 'aarch64' ? 'aarch64-linux-gnu-gcc' : 'gcc';
  await execa(compiler, ['-static', '-O1', '-o', join(dir, 'root/bin/app'), 'test/fixtures/qemu/app.c']);
  await execa('mkfs.erofs', [join(dir, 'root.erofs'), join(dir, 'root')]);
  return { arch, dir, kernel, close: () => rm(dir, { recursive: true, force: true }) };
}

export const open: Omit<NetworkSpec, 'mode'> = { dns: [], egress: { deny: [] } };

/** The application publishes port 8080 on a free port of the loopback, except where it has nothing to say there. */
export function makeSpec(
  bench: Bench,
  kind: string,
  who: { key: string; owner: string },
  network: NetworkSpec,
): MachineSpec {
  const limits = { memory_mb: 32, disk_mb: 16, cpus: 1 };
  const publishes = kind === 'web' || kind === 'deaf';
  return {
    ...who,
    name: who.key,
    limits,
    ram_mb: limits.memory_mb + bench.kernel.overhead_mb,
    boot: linux.plan({ ...anImage(), arch: bench.arch, dir: bench.dir }, bench.kernel, limits),
    ports: publishes ? [{ host_address: '127.0.0.1', host_port: 0, guest_port: 8080, protocol: 'tcp' }] : [],
    network,
    config: {
      schema: 1,
      argv: ['/bin/app', kind],
      cwd: '/',
      env: { SECRET: 'hunter2-hunter2' },
      hostname: 'box',
      mounts: [],
      files: {},
    },
  };
}

export { leftovers } from './qemu-leftovers.js';
