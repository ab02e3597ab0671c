import { copyFile, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../core/clock.js';
import { noLog } from '../../core/log.js';
import { lookUp, machineSpec } from '../../executor/boot.js';
import { guests } from '../../executor/guests/index.js';
import { ImageStore, type StoredImage } from '../../executor/images/store.js';
import { KernelCatalogue } from '../../executor/kernels/catalogue.js';
import type { GuestName, InstanceSpec } from '../../executor/model.js';
import { qemuArgs } from '../../executor/providers/qemu/args.js';
import { QemuProvider } from '../../executor/providers/qemu/qemu.js';
import { createExecutor } from '../../executor/runner.js';
import { kill, start } from './child.js';
import { firstAnswer, freePort } from './first-answer.js';
import { openPorts } from './open-ports.js';

const OWNER = 'bench/guests';

export interface Measured {
  /** Milliseconds to the first 200. */
  took: number;
  /** What the machine takes of this host, MB. */
  memory: number;
}

/** An executor with its store and its kernels, all below `home`, and the same machines without any of it. */
export class GuestMachines {
  readonly store: ImageStore;
  readonly kernels: KernelCatalogue;
  /** What kernels were imported from, by id. */
  readonly sources = new Map<string, string>();
  readonly #home: string;
  readonly #provider: QemuProvider;
  readonly #executor: ReturnType<typeof createExecutor>;
  #count = 0;

  constructor(home: string) {
    this.#home = home;
    const common = { clock: systemClock, log: noLog };
    this.kernels = new KernelCatalogue({ dir: join(home, 'kernels'), ...common });
    this.store = new ImageStore(join(home, 'images'));
    this.#provider = new QemuProvider({ home, ...common, path: process.env['PATH'] ?? '' });
    this.#executor = createExecutor({
      ...{ ...this.#parts(), owner: OWNER, home, ...common },
      capacity: () => ({ memory_mb: 4_096, disk_mb: 8_192, machines: 8 }),
    });
  }

  /** The distribution's Linux, and what the folder has. Gives the guests there are kernels for. */
  async importKernels(folder: string | undefined): Promise<GuestName[]> {
    const [linux = ''] = (await readdir('.assets/kernel')).filter((name) => !name.startsWith('.'));
    await this.kernels.importLinux(join('.assets/kernel', linux), '.assets/guest/init');
    const found: GuestName[] = ['linux'];
    for (const guest of ['unikraft', 'nanos', 'osv'] as const) {
      const names = folder === undefined ? [] : await readdir(join(folder, guest)).catch(() => []);
      for (const name of names) {
        const path = join(folder ?? '', guest, name);
        const { id } = await this.kernels.importGuest(path, { guest, arch: 'x86_64' });
        this.sources.set(id, path);
      }
      if (names.length > 0) found.push(guest);
    }
    return found;
  }

  /** By our own path, on QEMU's own network as `bare` is. */
  async ours(image: StoredImage, memory_mb: number): Promise<Measured> {
    const spec = await this.#spec(image, memory_mb);
    const port = spec.ports[0]?.host_port ?? 0;
    const started = performance.now();
    await this.#executor.run(spec);
    try {
      const took = await firstAnswer(port, started);
      const usage = await this.#executor.usage(spec.key);
      return { took, memory: (usage?.host_memory_bytes ?? 0) / 2 ** 20 };
    } finally {
      await this.#executor.remove(spec.key);
    }
  }

  /** TCP ports of the machine that take a connection, as a neighbour in its network would see it. Root only. */
  async openPorts(image: StoredImage, memory_mb: number): Promise<number[]> {
    const spec = await this.#spec(image, memory_mb, 'tap');
    await this.#executor.run(spec);
    try {
      await firstAnswer(spec.ports[0]?.host_port ?? 0, performance.now());
      return await openPorts(this.#executor.get(spec.key)?.handle?.address ?? '');
    } finally {
      await this.#executor.remove(spec.key);
    }
  }

  /** QEMU with what our path would give it, and none of our path: milliseconds to the first 200. */
  async bare(image: StoredImage, memory_mb: number): Promise<number> {
    const spec = await this.#spec(image, memory_mb);
    const port = spec.ports[0]?.host_port ?? 0;
    const machine = machineSpec(spec, await lookUp(spec, this.#parts()));
    const dir = await mkdtemp(join(this.#home, 'bare-'));
    const net = { mode: 'static' as const, address: '10.0.2.15/24', gateway: '10.0.2.2', dns: [] };
    const configured = machine.boot.configure?.({ ...machine.config, net }) ?? {};
    await copyFile(machine.boot.kernel ?? '', join(dir, 'kernel'));
    await copyFile(machine.boot.initrd ?? '', join(dir, 'initrd'));
    await writeFile(join(dir, 'config.bin'), configured.file ?? '');
    const args = qemuArgs({
      ...{ key: 'bare', ram_mb: machine.ram_mb, cpus: 1, accelerator: await this.accelerator() },
      boot: { ...machine.boot, cmdline: configured.cmdline ?? '', kernel: true, initrd: true },
      net: { kind: 'restricted', ports: spec.ports },
    });
    const started = performance.now();
    const child = start(['qemu-system-x86_64', ...args], dir);
    try {
      return await firstAnswer(port, started);
    } finally {
      await kill(child);
      await rm(dir, { recursive: true, force: true });
    }
  }

  async accelerator(): Promise<'kvm' | 'tcg'> {
    const probe = await this.#provider.probe(AbortSignal.timeout(30_000));
    return probe.accelerator === 'kvm' ? 'kvm' : 'tcg';
  }

  async close(): Promise<void> {
    for (const { spec } of this.#executor.list()) await this.#executor.remove(spec.key);
    await this.#executor.close();
    this.#provider.close();
  }

  #parts() {
    return {
      images: this.store,
      kernels: this.kernels,
      guests: new Map(Object.values(guests).map((guest) => [guest.name, guest])),
      providers: new Map([['qemu' as const, this.#provider]]),
    };
  }

  async #spec(
    { digest }: StoredImage,
    memory_mb: number,
    mode: 'tap' | 'isolated' = 'isolated',
  ): Promise<InstanceSpec> {
    const key = `bench-${++this.#count}`;
    return {
      ...{ key, owner: OWNER, name: key, provider: 'qemu', image: digest, process_type: 'web', env: {} },
      ...{ hostname: 'bench', limits: { memory_mb, disk_mb: 16, cpus: 1 }, grace_ms: 0, log_id: key, labels: {} },
      ports: [{ host_address: '127.0.0.1', host_port: await freePort(), guest_port: 8080, protocol: 'tcp' }],
      network: { mode, dns: [], egress: { deny: [] } },
      health: { startup: { kind: 'process' }, start_timeout_ms: 180_000, startup_interval_ms: 1_000 },
    };
  }
}
