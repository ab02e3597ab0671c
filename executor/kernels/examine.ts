import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../core/clock.js';
import { UnikError } from '../../core/errors.js';
import type { BootPlan, Guest } from '../guests/guest.js';
import { guestNamed } from '../guests/index.js';
import { kernelLine } from '../guests/unikraft/command-line.js';
import { encodeConfig, LAUNCHER_PATH, launcher } from '../guests/unikraft/launcher.js';
import type { Image } from '../images/image.js';
import { RootTree } from '../images/tree.js';
import type { InstanceConfig, InstanceNet, Owner } from '../model.js';
import type { MachineExit, MachineSpec, Provider } from '../providers/provider.js';
import type { StoredKernel } from './catalogue.js';
import type { KernelLimits } from './kernel.js';
import { guestRamMb } from './ram.js';

export interface ExamineOptions {
  provider: Provider;
  owner: Owner;
  /** Folder for the test image; ours, removed afterwards. */
  work: string;
  clock: Clock;
  signal?: AbortSignal | undefined;
}

/** So many variables an application of Cloud Foundry with many services has, and then some. */
const VARIABLES = 512;
const LONG_VALUE = 'x'.repeat(8_000);
const BOOT_MS = 20_000;
const LINE = /^(unik-probe )?variables=(\d+) bytes=(\d+)/m;
const LIMITS = { memory_mb: 64, disk_mb: 16, cpus: 1 };
const NO_NET: InstanceNet = { mode: 'none', dns: [] };

/**
 * Finds by booting what a prebuilt kernel holds: a program of ours runs in it and says what reached it. Undefined for a
 * guest whose kernel has no such limits. Throws provider errors.
 */
export async function examineKernel(kernel: StoredKernel, options: ExamineOptions): Promise<KernelLimits | undefined> {
  const guest = guestNamed(kernel.guest);
  if (guest.name === 'linux' || !guest.root) return undefined;
  const work = join(options.work, `examine-${randomBytes(6).toString('hex')}`);
  await mkdir(work, { recursive: true, mode: 0o755 });
  try {
    const image = await testImage(guest, work);
    const machines = new Machines(kernel, image, options);
    const found = guest.name === 'unikraft' ? await loaderLimits(machines) : await programLimits(machines, guest);
    const connections = await connectionsOf(kernel);
    const probed = new Date(options.clock.now()).toISOString();
    return { schema: 1, probed, ...found, ...(connections === undefined ? {} : { connections }) };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

type Found = Omit<KernelLimits, 'schema' | 'probed' | 'connections'>;

/** A kernel that takes a command line only: how much of it, and whether our launcher makes that no matter. */
async function loaderLimits(machines: Machines): Promise<Found> {
  const none = await machines.byCommandLine(0);
  if (none === undefined) return { boots: false };
  let most = VARIABLES;
  let arrived = await machines.byCommandLine(most);
  while (arrived === undefined && most > 1) arrived = await machines.byCommandLine((most = Math.floor(most / 2)));
  const variables = (arrived ?? none) - none;
  const fits = most === VARIABLES ? most : await machines.mostThatBoots(most, most * 2);
  const launched = await machines.byLauncher(VARIABLES);
  return {
    boots: true,
    variables: { count: variables, atLeast: variables === most },
    arguments: { count: fits, atLeast: most === VARIABLES },
    launcher: launched === VARIABLES,
  };
}

/** A kernel that is told by its guest's own channel: whether all arrives, and whether it loses what is written in pieces. */
async function programLimits(machines: Machines, guest: Guest): Promise<Found> {
  const { text } = await machines.byPlan(guest, guest.name === 'osv' ? 200 : VARIABLES);
  const line = LINE.exec(text);
  if (!line) return { boots: false };
  const count = Number(line[2]);
  return { boots: true, variables: { count, atLeast: true }, writev: line[1] !== undefined };
}

async function connectionsOf({ dir, files }: StoredKernel): Promise<number | undefined> {
  if (files.settings === undefined) return undefined;
  const text = await readFile(join(dir, files.settings), 'utf8');
  const found = /^CONFIG_LWIP_NUM_TCPCON=(\d+)/m.exec(text)?.[1];
  return found === undefined ? undefined : Number(found);
}

async function testImage(guest: Guest, dir: string): Promise<Image & { dir: string }> {
  const { root } = guest;
  if (!root) throw new UnikError('internal', `guest ${guest.name} has no root to put a test into`);
  const tree = new RootTree();
  tree.file(LAUNCHER_PATH, launcher(), 0o755);
  for (const folder of ['/dev', '/tmp', '/etc']) tree.folder(folder);
  root.prepare?.(tree);
  const written = await root.write(tree.root, join(dir, root.file));
  return {
    ...{ schema: 1, digest: written.digest, guest: guest.name, abi: guest.abi, arch: 'x86_64' },
    root: { format: root.format, file: root.file, ...written },
    processes: { web: { argv: [LAUNCHER_PATH, '--probe'], cwd: '/' } },
    ...{ env: {}, ports: [], volumes: [], created: '', labels: {}, findings: [], dir },
  };
}

/** Test machines, one after the other. */
class Machines {
  constructor(
    private readonly kernel: StoredKernel,
    private readonly image: Image & { dir: string },
    private readonly options: ExamineOptions,
  ) {}

  /** How many variables arrive of so many in the command line; undefined: it did not come to the program. */
  async byCommandLine(count: number): Promise<number | undefined> {
    const names = Array.from({ length: count }, (_, i) => `UNIK_${i}=1`);
    const cmdline = kernelLine(NO_NET, '', names, [LAUNCHER_PATH, '--probe']);
    const { text } = await this.#run({ ...this.#plan(), channels: { kind: 'serial' }, configure: () => ({ cmdline }) });
    const line = LINE.exec(text);
    return line ? Number(line[2]) : undefined;
  }

  /** The most between a number that boots and one that does not. */
  async mostThatBoots(good: number, bad: number): Promise<number> {
    let [low, high] = [good, bad];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if ((await this.byCommandLine(middle)) === undefined) high = middle;
      else low = middle;
    }
    return low;
  }

  /** How many arrive by way of the launcher; 0 when it does not run, or the machine's end is not told. */
  async byLauncher(count: number): Promise<number> {
    const plan: BootPlan = {
      ...this.#plan(),
      channels: { kind: 'firmware' },
      configure: (config) => ({
        cmdline: kernelLine(NO_NET, '', [], [LAUNCHER_PATH]),
        file: encodeConfig({ ...config, env: manyVariables(count) }),
      }),
    };
    const { text, exit } = await this.#run(plan);
    const line = LINE.exec(text);
    return line && exit?.reason === 'exited' && exit.code === 0 ? Number(line[2]) : 0;
  }

  byPlan(guest: Guest, count: number): Promise<{ text: string; exit?: MachineExit }> {
    const plan = guest.plan(this.image, this.kernel, LIMITS);
    return this.#run(plan, manyVariables(count, guest.name === 'osv' ? 'x'.repeat(80) : LONG_VALUE));
  }

  #plan(): BootPlan {
    const { kernel, image } = this;
    return {
      ...{ guest: kernel.guest, arch: 'x86_64', kernel: join(kernel.dir, kernel.files.kernel) },
      ...{
        initrd: join(image.dir, image.root.file),
        cmdline: '',
        disks: [],
        cpuFeatures: ['pdpe1gb'],
        noEntropy: true,
      },
      channels: { kind: 'serial' },
      endSigns: [{ pattern: 'CRIT: (.*)', reason: 'kernel_panic', message: '$1', cut: true }],
    };
  }

  async #run(boot: BootPlan, env: Record<string, string> = {}): Promise<{ text: string; exit?: MachineExit }> {
    const { provider, owner, clock, signal } = this.options;
    const limit = AbortSignal.any([AbortSignal.timeout(BOOT_MS), ...(signal ? [signal] : [])]);
    const key = `examine-${randomBytes(6).toString('hex')}`;
    const config: Omit<InstanceConfig, 'net'> = {
      ...{ schema: 1, argv: [LAUNCHER_PATH, '--probe'], cwd: '/', env, hostname: 'probe', mounts: [], files: {} },
    };
    const spec: MachineSpec = {
      ...{ key, owner, name: key, limits: LIMITS, boot, ports: [], config },
      ram_mb: guestRamMb(this.kernel, LIMITS.memory_mb),
      network: { mode: 'none', dns: [], egress: { deny: [] } },
    };
    const handle = await provider.start(spec, limit);
    let text = '';
    try {
      const reading = new AbortController();
      const exit = provider.exits(handle, limit).catch(() => undefined);
      try {
        for await (const { bytes } of provider.console(handle, {}, AbortSignal.any([limit, reading.signal]))) {
          text += Buffer.from(bytes).toString('latin1');
          // A kernel that goes on after its program is not waited for, but one that ends is.
          if (LINE.test(text) && boot.channels.kind === 'serial' && boot.exitPort === undefined) break;
        }
      } catch {
        // Out of time: what was said counts.
      }
      const moment = clock.sleep(2_000, limit).then(
        () => undefined,
        () => undefined,
      );
      const ended = await Promise.race([exit, moment]);
      return { text, ...(ended ? { exit: ended } : {}) };
    } finally {
      await provider.destroy(handle);
      signal?.throwIfAborted();
    }
  }
}

function manyVariables(count: number, long = LONG_VALUE): Record<string, string> {
  const env = Object.fromEntries(Array.from({ length: count }, (_, i) => [`UNIK_${i}`, `value-${i}`]));
  return count > 0 ? { ...env, UNIK_0: long } : env;
}
