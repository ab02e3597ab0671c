/** Configuration, parts, door: the only place of the backend that makes things and knows `process`. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { systemClock } from '../core/clock.js';
import { messageOf, toUnikError } from '../core/errors.js';
import { homePaths } from '../core/home.js';
import { createLog, noLog, type Log } from '../core/log.js';
import { VERSION } from '../core/version.js';
import { guests } from '../executor/guests/index.js';
import { packDroplet } from '../executor/images/droplet.js';
import { ImageStore } from '../executor/images/store.js';
import { KernelCatalogue, type StoredKernel } from '../executor/kernels/catalogue.js';
import { examineKernel } from '../executor/kernels/examine.js';
import type { GuestName, ProviderName } from '../executor/model.js';
import { PAIRINGS } from '../executor/providers/pairings.js';
import type { Finding, Probe } from '../executor/providers/provider.js';
import { createExecutor } from '../executor/runner.js';
import { hostArch } from '../stager/arch.js';
import { buildImage } from '../stager/build.js';
import { chooseGuest } from '../stager/suitability/guest.js';
import { Apps } from './api/instances/apps.js';
import { openAppRecords } from './api/instances/record.js';
import type { Parts } from './api/parts.js';
import type { DoctorReport } from './api/schema/system.js';
import { uploadsDir } from './api/upload.js';
import { ASSETS } from './assets.js';
import { loadConfig, type Config } from './config.js';
import { prepareHome, startDaemon } from './daemon.js';
import { examine, report } from './doctor.js';
import { importShippedKernels, shippedInit } from './kernels.js';
import { lockHolder } from './lock.js';
import { exportDisk } from './export-disk.js';
import { makeProviders, networkFor } from './providers.js';

export interface RunOptions {
  onReady: (line: string) => void;
  onSignal: (signal: 'SIGINT' | 'SIGTERM', handler: () => void) => () => void;
}

/** Serves until a signal (machines stay) or a shutdown over the API (they are gone by then). */
export async function runDaemon(home: string, { onReady, onSignal }: RunOptions): Promise<void> {
  await prepareHome(home);
  const config = await loadConfig(home);
  const log = createLog('unik', config.log_level);
  const daemon = await startDaemon({ config, log, makeParts: (exit) => makeParts(config, log, exit) });
  const signal = new Promise<void>((resolve) => {
    onSignal('SIGTERM', resolve);
    onSignal('SIGINT', resolve);
  });
  onReady(`unik daemon ${VERSION} serves ${config.owner} on ${homePaths(home).socket}`);
  await Promise.race([signal, daemon.shutdown]);
  await daemon.close();
}

/** `unik doctor` where no daemon answers. */
export async function doctor(home: string): Promise<DoctorReport> {
  const { lock, kernels } = homePaths(home);
  try {
    await prepareHome(home);
    const config = await loadConfig(home);
    const holder = await lockHolder(lock);
    const state: Pick<Finding, 'status' | 'detail'> = holder
      ? { status: 'error', detail: `pid ${holder.pid} holds ${lock} but does not answer` }
      : { status: 'ok', detail: 'not running; commands start it when they need it' };
    const providers = await makeProviders(config, noLog);
    const parts = {
      ...{ home, path: process.env['PATH'] ?? '', memory_mb: config.memory_mb, providers: providers.map.values() },
      kernels: new KernelCatalogue({ dir: kernels, clock: systemClock, log: noLog }),
      daemon: { name: 'daemon', ...state },
    };
    return await examine(parts, AbortSignal.timeout(30_000));
  } catch (err) {
    const { message, hint } = toUnikError(err);
    return report([{ name: 'config', status: 'error', detail: message, fix: hint }]);
  }
}

const withoutDir = ({ dir: _, ...entry }: StoredKernel): Omit<StoredKernel, 'dir'> => entry;

/** Where the Docker command keeps what it knows of registries. */
function dockerConfig(env: NodeJS.ProcessEnv): string {
  return join(env['DOCKER_CONFIG'] ?? join(env['HOME'] ?? '/', '.docker'), 'config.json');
}

async function makeParts(config: Config, log: Log, exit: () => void): Promise<Parts> {
  const { home } = config;
  const paths = homePaths(home);
  const clock = systemClock;
  const images = new ImageStore(paths.images);
  const catalogue = new KernelCatalogue({ dir: paths.kernels, clock, log });
  const providers = await makeProviders(config, log);
  const guestMap = new Map(Object.values(guests).map((guest) => [guest.name, guest]));
  const executor = createExecutor({
    ...{
      owner: config.owner,
      home,
      log,
      clock,
      images: { get: (ref) => images.getSound(ref) },
      kernels: catalogue,
      guests: guestMap,
      providers: providers.map,
    },
    capacity: () => ({ memory_mb: config.memory_mb, disk_mb: config.disk_mb, machines: config.max_machines }),
    logs: config.logs,
  });
  const provider = (name: ProviderName = config.provider) => providers.get(name);
  let known: Probe | undefined;
  const probe = async (signal: AbortSignal): Promise<Probe> => (known = await provider().probe(signal));
  const apps = new Apps({
    ...{ executor, images, clock, log, records: openAppRecords(paths.apps, log) },
    defaults: async (order) => {
      const chosen = provider(order.provider);
      const { accelerator } = await chosen.probe(AbortSignal.timeout(30_000));
      return {
        ...{ provider: chosen.name, ...config.defaults, dns: config.network.dns, deny: config.network.deny },
        network: config.network.mode === 'auto' ? await networkFor(chosen) : config.network.mode,
        emulated: accelerator === 'tcg',
      };
    },
  });
  const inUse = (id: string): boolean =>
    executor.list().some(({ kernel, phase }) => kernel === id && phase !== 'completed');
  const work = join(home, 'work');
  const path = process.env['PATH'] ?? '';
  return {
    ...{ home, stack: config.stack, version: VERSION, started_at: clock.now(), provider: config.provider },
    ...{ probe, accelerator: () => known?.accelerator, providers: providers.map, guests: guestMap },
    pairings: (guest: GuestName) =>
      [...providers.map.keys()].filter((name) => name === 'fake' || PAIRINGS[guest]?.[name] === 'yes'),
    ...{ executor, apps, images, exit, clock, log },
    kernels: {
      list: async () => (await catalogue.list()).map(withoutDir),
      get: async (id) => withoutDir(await catalogue.get(id)),
      import: async ({ path: from, guest, arch = 'x86_64', version }) =>
        withoutDir(
          guest === undefined || guest === 'linux'
            ? await catalogue.importLinux(from, shippedInit)
            : await catalogue.importGuest(from, { guest, arch, version }),
        ),
      pull: async ({ ref, guest = 'unikraft', arch = 'x86_64', digest, credentials }, signal) => {
        const { pullKernel } = await import('../executor/kernels/pull/pull.js');
        const known = credentials ?? dockerConfig(process.env);
        const order = { ref, guest, arch, digest, credentials: known, work: join(work, 'pull'), path };
        return withoutDir(await pullKernel({ ...order, catalogue, signal }));
      },
      verify: async (id, signal) => {
        const entry = await catalogue.verify(id);
        const place = { provider: provider(), owner: config.owner, work: join(work, 'tmp'), clock };
        const limits = await examineKernel(entry, { ...place, signal });
        return withoutDir(limits ? await catalogue.noteLimits(id, limits) : entry);
      },
      remove: (id) => catalogue.remove(id, inUse(id)),
    },
    build: async ({ source, name, shell, guest, kernel, arch, progress, signal }) => {
      const abis = (await catalogue.list()).map(({ abi }) => abi).join(',');
      const wish = guest ?? process.env['UNIK_GUEST'];
      return buildImage({
        ...{ source, store: images, work, progress, signal, env: process.env, withShell: shell, clock },
        // A catalogue that is empty still has its Linux kernel to come.
        guest: chooseGuest(wish, arch === undefined || arch === hostArch() ? abis || undefined : undefined),
        ...(arch ? { arch } : {}),
        ...(kernel === undefined ? {} : { pin: (await catalogue.get(kernel)).digest }),
        tags: name === undefined ? [] : [name],
      });
    },
    droplet: async (image, signal) => {
      const content = new PassThrough();
      // A failure reaches the reader by its stream.
      packDroplet(image, content, signal).catch((err: unknown) => content.destroy(toUnikError(err)));
      return content;
    },
    disk: (image, format, signal) => {
      const scratch_mb = config.defaults.disk_mb;
      return exportDisk({ image, format, kernels: catalogue, work, scratch_mb }, signal);
    },
    doctor: (signal) => {
      const daemon: Finding = { name: 'daemon', status: 'ok', detail: `pid ${process.pid} serves ${paths.socket}` };
      const { memory_mb } = config;
      return examine({ home, path, memory_mb, providers: providers.map.values(), kernels: catalogue, daemon }, signal);
    },
    prepare: async () => {
      // Nothing of ours runs yet: whatever is temporary is left over.
      await catalogue.sweep();
      for (const dir of [uploadsDir(home), join(work, 'tmp')]) await rm(dir, { recursive: true, force: true });
      await importShippedKernels(catalogue, { assets: ASSETS, providers: [...providers.map.keys()] }, log);
      // Two seconds of probing need not delay the first who asks.
      probe(AbortSignal.timeout(30_000)).then(
        ({ summary, accelerator }) => log.info({ summary, accelerator }, 'provider.probed'),
        (err: unknown) => log.warn({ reason: messageOf(err) }, 'probe.failed'),
      );
    },
    sweep: () => images.sweep(),
    close: async () => providers.close(),
  };
}
