/** The parts of a real cell: executor, images, kernels, containers. */
import { join } from 'node:path';
import { networkInterfaces } from 'node:os';
import type { Clock } from '../../core/clock.js';
import { messageOf } from '../../core/errors.js';
import { homePaths } from '../../core/home.js';
import type { Log } from '../../core/log.js';
import { readIdentity } from '../../core/tls.js';
import { guests } from '../../executor/guests/index.js';
import { ImageStore } from '../../executor/images/store.js';
import { KernelCatalogue } from '../../executor/kernels/catalogue.js';
import { guestRamMb } from '../../executor/kernels/ram.js';
import { createExecutor } from '../../executor/runner.js';
import { createFetcher } from '../../stager/actions/fetch.js';
import { ASSETS } from '../assets.js';
import { DEFAULT_CONTEXT } from '../convert/context.js';
import { lrpOrder } from '../convert/desired-lrp.js';
import { taskOrder } from '../convert/task.js';
import { createWords } from '../convert/words.js';
import { importShippedKernels } from '../kernels.js';
import { connectLoggregator, type LoggregatorSink } from '../logs/loggregator.js';
import { nowhere, type Sink } from '../logs/sink.js';
import { makeProviders, networkFor } from '../providers.js';
import type { CellParts } from './cell.js';
import type { CellConfig } from './config.js';
import { createImageMaker, noteDirs } from './images/maker.js';
import { pruneImages } from './images/prune.js';
import { makeStager } from './stager.js';
import { CellContainers } from './store/cell-containers.js';

const FLUSH_MS = 2_000;
const PRUNE_MS = 60 * 60_000;

export async function makeCellParts(
  config: CellConfig,
  { clock, log, sink: given }: { clock: Clock; log: Log; sink?: Sink },
): Promise<CellParts> {
  const { home, owner, provider: name, network, external_address: address } = config;
  const paths = homePaths(home);
  const agent = await connectAgent(config, { clock, log });
  const sink = given ?? agent ?? nowhere;
  const store = new ImageStore(paths.images);
  const catalogue = new KernelCatalogue({ dir: paths.kernels, clock, log });
  // Nothing of ours runs yet: whatever is temporary is left over.
  await Promise.all([store.sweep(), catalogue.sweep()]);
  await importShippedKernels(catalogue, { assets: ASSETS, providers: [name] }, log);
  const kernels = await catalogue.list();
  const { provider_options } = config;
  const providers = await makeProviders({ home, provider: name, providers: [], network, provider_options }, log);
  const provider = providers.get(name);
  const executor = createExecutor({
    ...{ owner, home, log, clock, kernels: catalogue, providers: providers.map, logs: config.logs },
    images: { get: (ref) => store.getSound(ref) },
    guests: new Map(Object.values(guests).map((guest) => [guest.name, guest])),
    capacity: () => {
      const { memory_mb, disk_mb, containers: machines } = config.capacity;
      return { memory_mb, disk_mb, machines };
    },
    lateEnv: (spec, where) => containers.lateEnv(spec, where),
  });
  const fetcher = createFetcher({
    ...{ folder: join(home, 'downloads'), max_bytes: config.download_cache_mb * 2 ** 20, clock, log },
    tls: await readIdentity(config.identities.tls, 'tls'),
  });
  const staging = config.staging && (await makeStager(config, config.staging, { fetcher, kernels, clock, log }));
  const images = await createImageMaker({
    ...{ store, fetcher, home, arch: 'x86_64' },
    ...(config.compose_at_start ? { compose: composeOptions(config) } : {}),
  });
  const prune = async (): Promise<void> => {
    const used = new Set(executor.list().map(({ spec }) => spec.image));
    const inUse = (digest: string): boolean => used.has(digest);
    const gone = await pruneImages({ store, dirs: noteDirs(home), keep: config.spare_images, inUse, now: clock.now() });
    if (gone.length > 0) log.info({ images: gone.length }, 'images.pruned');
    // Copies of them that its provider keeps.
    const there = (await provider.collect?.(owner)) ?? [];
    if (there.length > 0) log.info({ provider: name, things: there.length }, 'provider.collected');
  };
  const closing = new AbortController();
  let mode: ReturnType<typeof networkFor> | undefined;
  const containers: CellContainers = new CellContainers({
    ...{ owner, provider: name, home, executor, sink, clock, log, words: createWords(config.cell_id) },
    ...{ address, publish_address: isOurs(address) ? address : '0.0.0.0' },
    images,
    ...(staging ? { stager: staging.stager } : {}),
    network: async () => ({
      mode: network.mode === 'auto' ? await (mode ??= networkFor(provider)) : network.mode,
      ...{ dns: network.dns, deny: network.deny },
    }),
    overheadMb: (memory_mb) => {
      const ram = kernels.map((kernel) => guestRamMb(kernel, memory_mb) - memory_mb);
      return Math.max(0, ...ram) + provider.overheadMb();
    },
  });
  const context = { ...DEFAULT_CONTEXT, staging: staging !== undefined, programs: config.compose_at_start };
  return {
    ...{ containers, sink },
    ...(agent ? { logStats: () => agent.stats() } : {}),
    convert: {
      lrp: (desired, lrp, guid) => lrpOrder(desired, lrp, guid, context),
      task: (definition, guid) => taskOrder(definition, guid, context),
    },
    sweep: async () => {
      const { length } = await executor.gc(owner);
      if (length > 0) log.info({ machines: length }, 'gc.done');
      void every(PRUNE_MS, prune, { clock, log }, closing.signal);
    },
    close: async () => {
      closing.abort();
      await executor.close();
      await fetcher.close();
      await agent?.close(FLUSH_MS);
      await staging?.close();
      providers.close();
    },
  };
}

/** Where lines and metrics go; a cell without an agent keeps them to itself. */
async function connectAgent(
  { loggregator, identities }: CellConfig,
  { clock, log }: { clock: Clock; log: Log },
): Promise<LoggregatorSink | undefined> {
  if (!loggregator) return undefined;
  const tls = await readIdentity(identities.loggregator, 'loggregator');
  return connectLoggregator({ ...loggregator, tls, clock, log });
}

function composeOptions({ compose_base }: CellConfig): { base?: string; path: string } {
  return { path: process.env['PATH'] ?? '', ...(compose_base === undefined ? {} : { base: compose_base }) };
}

/** Works now and after every pause, until the signal. */
async function every(
  ms: number,
  work: () => Promise<void>,
  { clock, log }: { clock: Clock; log: Log },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await work().catch((err: unknown) => log.warn({ reason: messageOf(err) }, 'cell.upkeep-failed'));
    await clock.sleep(ms, signal).catch(() => undefined);
  }
}

/** False: routers reach us through an address that is translated on the way. */
function isOurs(address: string): boolean {
  return Object.values(networkInterfaces()).some((all) => all?.some((one) => one.address === address));
}
