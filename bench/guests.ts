/**
 * One C web server, made once, on every guest that has a kernel in UNIK_TEST_KERNELS, interleaved in one run:
 *   each guest   from `executor.run` to the first HTTP 200, with the image's and the machine's size
 *   bare         QEMU by hand with unikraft's kernel, image and configuration, on QEMU's own network
 *   container    the same program by runc, in the host's network
 * All are watched by the same client: a fresh connection every 20 ms. `ratio` is a guest's time over that of linux.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemClock } from '../core/clock.js';
import { noLog } from '../core/log.js';
import { machineSpec, lookUp } from '../executor/boot.js';
import { guests } from '../executor/guests/index.js';
import { ImageStore, type StoredImage } from '../executor/images/store.js';
import { KernelCatalogue } from '../executor/kernels/catalogue.js';
import type { GuestName, InstanceSpec } from '../executor/model.js';
import { qemuArgs } from '../executor/providers/qemu/args.js';
import { QemuProvider } from '../executor/providers/qemu/qemu.js';
import { createExecutor } from '../executor/runner.js';
import { buildImage } from '../stager/build.js';
import { chooseGuest } from '../stager/suitability/guest.js';
import { median, parseArgs, round } from './support/report.js';

const exec = promisify(execFile);
const options = parseArgs({ runs: 7 });
const runs = Math.max(7, options.runs);
const folder = process.env['UNIK_TEST_KERNELS'];
const home = await mkdtemp(join(tmpdir(), 'uk-guests-'));
const MEMORY = 32;
const OWNER = 'bench/guests';

const catalogue = new KernelCatalogue({ dir: join(home, 'kernels'), clock: systemClock, log: noLog });
const store = new ImageStore(join(home, 'images'));
const provider = new QemuProvider({ home, clock: systemClock, log: noLog, path: process.env['PATH'] ?? '' });
const guestMap = new Map(Object.values(guests).map((guest) => [guest.name, guest]));
const parts = {
  images: store,
  kernels: catalogue,
  guests: guestMap,
  providers: new Map([['qemu' as const, provider]]),
};
const executor = createExecutor({
  ...{ ...parts, owner: OWNER, home, log: noLog, clock: systemClock },
  capacity: () => ({ memory_mb: 4_096, disk_mb: 8_192, machines: 8 }),
});

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (typeof address !== 'object' || address === null) throw new Error('no free port');
  return address.port;
}

function firstAnswer(port: number, started: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const open = new Set<ReturnType<typeof request>>();
    const timer = setInterval(() => {
      if (performance.now() - started > 60_000) end(() => reject(new Error(`port ${port}: no answer within 60 s`)));
      const ask = request({ host: '127.0.0.1', port, path: '/', timeout: 1_000, agent: false }, (reply) => {
        reply.resume();
        if (reply.statusCode === 200) {
          const took = performance.now() - started;
          end(() => resolve(took));
        }
      });
      open.add(ask);
      ask.on('timeout', () => ask.destroy());
      ask.on('error', () => open.delete(ask));
      ask.end();
    }, 20);
    const end = (settle: () => void): void => {
      clearInterval(timer);
      for (const ask of open) ask.destroy();
      settle();
    };
  });
}

function specFor(image: StoredImage, key: string, port: number): InstanceSpec {
  return {
    ...{
      key,
      owner: OWNER,
      name: key,
      provider: 'qemu',
      image: image.digest,
      process_type: 'web',
      env: {},
      hostname: 'bench',
    },
    ...{ limits: { memory_mb: MEMORY, disk_mb: 16, cpus: 1 }, grace_ms: 0, log_id: key, labels: {} },
    ports: [{ host_address: '127.0.0.1', host_port: port, guest_port: 8080, protocol: 'tcp' }],
    network: { mode: 'isolated', dns: [], egress: { deny: [] } },
    health: { startup: { kind: 'process' }, start_timeout_ms: 60_000, startup_interval_ms: 1_000 },
  };
}

let count = 0;
async function ours(image: StoredImage): Promise<{ took: number; memory: number }> {
  const port = await freePort();
  const key = `bench-${++count}`;
  const started = performance.now();
  await executor.run(specFor(image, key, port));
  const took = await firstAnswer(port, started);
  const usage = await executor.usage(key);
  await executor.remove(key);
  return { took, memory: (usage?.host_memory_bytes ?? 0) / 2 ** 20 };
}

/** QEMU with what our path would give it, and none of our path. */
async function bare(image: StoredImage): Promise<number> {
  const port = await freePort();
  const spec = specFor(image, 'bare', port);
  const found = await lookUp(spec, parts);
  const machine = machineSpec(spec, found);
  const dir = await mkdtemp(join(home, 'bare-'));
  const net = { mode: 'static' as const, address: '10.0.2.15/24', gateway: '10.0.2.2', dns: [] };
  const configured = machine.boot.configure?.({ ...machine.config, net }) ?? {};
  await exec('cp', [machine.boot.kernel ?? '', join(dir, 'kernel')]);
  await exec('cp', [machine.boot.initrd ?? '', join(dir, 'initrd')]);
  await writeFile(join(dir, 'config.bin'), configured.file ?? '');
  const args = qemuArgs({
    ...{ key: 'bare', ram_mb: machine.ram_mb, cpus: 1, accelerator: await accelerator() },
    boot: { ...machine.boot, cmdline: configured.cmdline ?? '', kernel: true, initrd: true },
    net: { kind: 'restricted', ports: spec.ports },
  });
  const started = performance.now();
  const child = spawn('qemu-system-x86_64', args, { cwd: dir, stdio: 'ignore' });
  try {
    return await firstAnswer(port, started);
  } finally {
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
    await rm(dir, { recursive: true, force: true });
  }
}

async function accelerator(): Promise<'kvm' | 'tcg'> {
  const probe = await provider.probe(AbortSignal.timeout(30_000));
  return probe.accelerator === 'kvm' ? 'kvm' : 'tcg';
}

async function container(program: string): Promise<number> {
  const port = await freePort();
  const dir = await mkdtemp(join(home, 'runc-'));
  const rootfs = join(dir, 'rootfs');
  await mkdir(join(rootfs, 'proc'), { recursive: true });
  await cp(program, join(rootfs, 'server'));
  await exec('runc', ['spec'], { cwd: dir });
  const { default: spec } = (await import(join(dir, 'config.json'), { with: { type: 'json' } })) as {
    default: Container;
  };
  spec.process = { ...spec.process, terminal: false, args: ['/server'], env: [`PORT=${port}`] };
  spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== 'network' && type !== 'cgroup');
  spec.mounts = spec.mounts.filter(({ type }) => type === 'proc');
  delete spec.linux.resources;
  await writeFile(join(dir, 'config.json'), JSON.stringify(spec));
  const id = `unik-bench-${process.pid}-${++count}`;
  const started = performance.now();
  const child = spawn('runc', ['--root', join(home, 'runc-state'), 'run', '-b', dir, id], { stdio: 'ignore' });
  try {
    return await firstAnswer(port, started);
  } finally {
    const gone = once(child, 'exit');
    await exec('runc', ['--root', join(home, 'runc-state'), 'kill', id, 'KILL']).catch(() => child.kill('SIGKILL'));
    await gone;
    await rm(dir, { recursive: true, force: true });
  }
}

interface Container {
  process: { terminal: boolean; args: string[]; env: string[] };
  mounts: { type: string }[];
  linux: { namespaces: { type: string }[]; resources?: unknown };
}

async function importAll(): Promise<GuestName[]> {
  const [linuxKernel] = (await readdir('.assets/kernel')).filter((name) => !name.startsWith('.'));
  await catalogue.importLinux(join('.assets/kernel', linuxKernel ?? ''), '.assets/guest/init');
  const found: GuestName[] = ['linux'];
  for (const guest of ['unikraft', 'nanos', 'osv'] as const) {
    const names = folder === undefined ? [] : await readdir(join(folder, guest)).catch(() => []);
    for (const name of names) await catalogue.importGuest(join(folder ?? '', guest, name), { guest, arch: 'x86_64' });
    if (names.length > 0) found.push(guest);
  }
  return found;
}

try {
  if (folder === undefined) console.error('UNIK_TEST_KERNELS names no folder: only the linux guest is measured');
  const app = join(home, 'app');
  await mkdir(app);
  // One file without libraries: the same bytes everywhere, and a container needs nothing else.
  await exec('gcc', ['-O1', '-static-pie', '-fPIE', '-o', join(app, 'server'), 'test/fixtures/guests/env-server.c']);
  const names = await importAll();
  const images = new Map<GuestName, StoredImage>();
  for (const name of names) {
    const abis = (await catalogue.list()).map(({ abi }) => abi).join(',');
    const order = { source: app, store, work: join(home, 'work'), progress: () => undefined, env: process.env };
    images.set(name, await buildImage({ ...order, guest: chooseGuest(name, abis) }));
  }
  const times = new Map<string, number[]>();
  const memory = new Map<string, number[]>();
  const note = (name: string, value: number, into = times): void =>
    void into.set(name, [...(into.get(name) ?? []), value]);
  const unikraft = images.get('unikraft');
  const hasRunc = await exec('runc', ['--version']).then(
    () => true,
    () => false,
  );
  for (let run = 0; run < runs; run++) {
    for (const [name, image] of images) {
      const { took, memory: mb } = await ours(image);
      note(name, took);
      note(name, mb, memory);
    }
    if (unikraft) note('bare', await bare(unikraft));
    if (hasRunc) note('container', await container(join(app, 'server')));
  }
  const of = (name: string): number => median(times.get(name) ?? []);
  const kernels = await catalogue.list();
  const table = [...images].map(([name, image]) => [
    name,
    {
      ...{ ratio: round(of(name) / of('linux'), 3), boot_ms: round(of(name)), image_bytes: image.root.bytes },
      machine_mb: round(median(memory.get(name) ?? [])),
      kernel: kernels.find(({ guest }) => guest === name)?.digest,
    },
  ]);
  console.log(
    JSON.stringify({
      guests: Object.fromEntries(table) as unknown,
      ...(unikraft ? { bare_ms: round(of('bare')), ratio_bare: round(of('unikraft') / of('bare'), 3) } : {}),
      ...(hasRunc ? { container_ms: round(of('container')) } : {}),
      runs,
    }),
  );
} finally {
  for (const { spec } of executor.list()) await executor.remove(spec.key);
  await executor.close();
  provider.close();
  await rm(home, { recursive: true, force: true });
}
