import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../core/clock.js';
import { UnikError } from '../../core/errors.js';
import { noLog } from '../../core/log.js';
import type { Executor } from '../../executor/executor.js';
import type { Image } from '../../executor/images/image.js';
import type { KernelEntry } from '../../executor/kernels/kernel.js';
import type { Guest } from '../../executor/guests/guest.js';
import type { InstanceSpec } from '../../executor/model.js';
import { createFakeProvider } from '../../executor/providers/fake/index.js';
import type { Provider } from '../../executor/providers/provider.js';
import { createExecutor, type ExecutorDeps } from '../../executor/runner.js';

export const OWNER = 'test/cell';
const digest = `sha256:${'a'.repeat(64)}`;

export const anImage = (over: Partial<Image> = {}): Image => ({
  schema: 1,
  digest,
  guest: 'linux',
  abi: 'linux-virtio-1',
  arch: 'x86_64',
  root: { format: 'erofs', file: 'root.erofs', digest, bytes: 1 },
  processes: { web: { argv: ['/app/server'], cwd: '/app' } },
  env: {},
  ports: [8080],
  volumes: [],
  created: '2026-01-01T00:00:00.000Z',
  labels: {},
  findings: [],
  ...over,
});

export const aKernel = (over: Partial<KernelEntry> = {}): KernelEntry => ({
  schema: 1,
  id: 'linux-1-aaaaaaaaaaaa',
  guest: 'linux',
  abi: 'linux-virtio-1',
  version: '1',
  arch: 'x86_64',
  digest,
  files: { kernel: 'vmlinuz' },
  overhead_mb: 72,
  imported: '2026-01-01T00:00:00.000Z',
  ...over,
});

const guest: Guest = {
  name: 'linux',
  abi: 'linux-virtio-1',
  capabilities: {
    ...{ signals: true, exitStatus: true, stderrApart: true, fork: true, maxCpus: 4 },
    ...{ files: true, writes: 'disk', onlyPositionIndependent: false, unsupported: [] },
    devices: { network: ['virtio-net'], disk: ['virtio-blk'] },
  },
  plan: (image, kernel) => ({
    guest: 'linux',
    arch: 'x86_64',
    kernel: join(kernel.dir, kernel.files.kernel),
    cmdline: '',
    disks: [{ source: { kind: 'file', path: join(image.dir, image.root.file) }, readonly: true }],
    channels: { kind: 'virtio-serial' },
  }),
};

export function aSpec(over: Partial<InstanceSpec> = {}): InstanceSpec {
  const key = over.key ?? `key-${String(Math.random()).slice(2)}`;
  return {
    key,
    owner: OWNER,
    name: key,
    provider: 'fake',
    image: digest,
    process_type: 'web',
    env: {},
    hostname: 'h',
    limits: { memory_mb: 64, disk_mb: 10, cpus: 1 },
    ports: [],
    network: { mode: 'none', dns: [], egress: { deny: [] } },
    health: { startup: { kind: 'process' }, start_timeout_ms: 0, startup_interval_ms: 10 },
    grace_ms: 1_000,
    log_id: key,
    labels: {},
    ...over,
  };
}

/** An executor over fake machines in a folder of its own, which can be restarted as after a crash. */
export class Bench {
  executor!: Executor;
  provider!: Provider;

  private constructor(
    readonly home: string,
    private readonly over: Partial<ExecutorDeps>,
  ) {}

  static async open(over: Partial<ExecutorDeps> = {}): Promise<Bench> {
    return Bench.openIn(await mkdtemp(join(tmpdir(), 'unik-exec-')), over);
  }

  static async openIn(home: string, over: Partial<ExecutorDeps> = {}): Promise<Bench> {
    const bench = new Bench(home, over);
    await bench.restart();
    return bench;
  }

  /** A new executor and provider over the same folder. `recover`: false where somebody else sees to that. */
  async restart(recover = true): Promise<void> {
    this.provider = createFakeProvider({ dir: join(this.home, 'fake'), clock: systemClock, log: noLog });
    this.executor = createExecutor({
      owner: OWNER,
      home: this.home,
      log: noLog,
      clock: systemClock,
      images: {
        async get(ref) {
          if (ref !== digest) throw new UnikError('image_missing', `no image ${ref}`);
          return { ...anImage(), dir: '/images' };
        },
      },
      kernels: { pick: async () => ({ ...aKernel(), dir: '/kernels' }) },
      guests: new Map([['linux', guest]]),
      providers: new Map([['fake', this.provider]]),
      capacity: () => ({ memory_mb: 4096, disk_mb: 4096, machines: 50 }),
      logs: { batch_ms: 5 },
      ...this.over,
    });
    if (recover) await this.executor.recover();
  }

  async close(): Promise<void> {
    for (const { spec } of this.executor.list()) await this.executor.remove(spec.key);
    await this.executor.close();
    await rm(this.home, { recursive: true });
  }
}

export const never = (): AbortSignal => new AbortController().signal;
