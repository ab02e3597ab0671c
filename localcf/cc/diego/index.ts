/** The Cloud Controller's side towards Diego: one object that resources use. Works with the embedded BBS and with a real one. */
import { createBbs, BbsError, type Identity } from '../../../backend/wire/bbs.js';
import { followInstances } from '../../../backend/wire/bbs-events.js';
import type { Clock } from '../../../core/clock.js';
import { messageOf, UnikError } from '../../../core/errors.js';
import type { Log } from '../../../core/log.js';
import type { Blobs } from '../blobs.js';
import { cfError } from '../errors.js';
import type { App, Process } from '../model.js';
import { processGuid } from '../recipes/desired-lrp.js';
import type { Store } from '../store.js';
import { recordCrash } from './crashes.js';
import { startDeployer } from './deployer.js';
import { appFacts } from './gather.js';
import { serveInternal } from './internal.js';
import { say, type AppLogs } from './logs.js';
import { completeStaging, completeTask, takeUpload } from './outcome.js';
import { createPlaces } from './places.js';
import { recordReadiness } from './readiness.js';
import { instancesOf, statsOf } from './stats.js';
import { keepSwept } from './sweep.js';
import { startSync } from './sync.js';
import type { ActualLRP } from '../../../protos/generated.js';

export interface DiegoOptions {
  store: Store;
  blobs: Blobs;
  logs: AppLogs;
  /** Towards BBS, cells and callbacks: client and server of mutual TLS. */
  tls: Identity;
  bbs_url: string;
  /** Where cell and BBS reach us. The port must stay the same over restarts: it stands in tasks under way. */
  internal: { host: string; port: number };
  /** At least 32 bytes, the same over restarts: signs those addresses. */
  key: Buffer;
  /** `unik_app_lifecycle.tgz`. */
  lifecycle: { path: string; sha256: string };
  api_url: string;
  max_upload_bytes: number;
  clock: Clock;
  log: Log;
  /** See OutcomeParts. */
  linger_ms?: number;
  period_ms?: number;
}

export interface Diego {
  /** `https://host:port` of the internal listener. */
  internal_url: string;
  /** Resolves when what the tables say now was told to the BBS; false: it could not be, and is tried again. */
  told(most_ms: number): Promise<boolean>;
  /** The `stats` of a process. */
  stats(process: Process, app: App): Promise<object[]>;
  /** `[{index, state, since}]` of each process, in one question. */
  instances(processes: readonly Process[]): Promise<Map<string, object[]>>;
  /** Stops one instance, so that another is started in its place; false: there is none. */
  restartInstance(process: Process, index: number): Promise<boolean>;
  /** Has the staging task of a build stopped. */
  cancelBuild(build_guid: string): Promise<void>;
  /** Writes a line into the app's log, as source `API`. */
  say(app: Pick<App, 'guid' | 'name'>, text: string): void;
  /** Ends our part: what runs goes on. May be called again. */
  close(): Promise<void>;
}

/** Milliseconds; CC looks two minutes back for metrics. */
const METRICS_MS = 120_000;
const LINGER_MS = 2_500;
const CALL_MS = 10_000;
/** Tables of which the BBS hears. */
const TOLD = new Set(['org', 'space', 'app', 'process', 'sidecar', 'droplet', 'route', 'destination', 'build', 'task']);

export async function createDiego(options: DiegoOptions): Promise<Diego> {
  const { store, blobs, logs, tls, bbs_url, internal, key, lifecycle, clock, log } = options;
  const bbs = createBbs({ url: bbs_url, tls, clock, timeout_ms: CALL_MS });
  const parts = { store, logs, clock, linger_ms: options.linger_ms ?? LINGER_MS };
  const listener = await serveInternal({
    ...{ tls, key, blobs, lifecycle, log, ...internal, max_upload_bytes: options.max_upload_bytes },
    uploaded: (kind, guid, blob) => takeUpload(parts, kind, guid, blob),
    staged: (guid, callback) => completeStaging(parts, guid, callback),
    task_done: (guid, callback) => completeTask(parts, guid, callback),
  });
  const places = createPlaces({
    ...{ api_url: options.api_url, internal_url: listener.url, key, lifecycle_sha256: lifecycle.sha256 },
  });
  const sync = startSync({
    store,
    bbs,
    places,
    clock,
    log,
    ...(options.period_ms !== undefined && { period_ms: options.period_ms }),
  });
  const unwatch = store.watch((changes) => {
    if (changes.some((one) => TOLD.has('put' in one ? one.put : one.drop))) sync.kick();
  });
  const stopSweeping = keepSwept({ store, blobs, clock, log });
  const stopping = new AbortController();
  const following = followInstances(
    { url: bbs_url, tls, clock, log },
    (event) => {
      if (event.event === 'actual_lrp_crashed') recordCrash(store, event.data);
      if (event.event === 'actual_lrp_instance_changed') recordReadiness(store, event.data);
    },
    stopping.signal,
  );

  const lrpsOf = async (process: Process): Promise<ActualLRP[]> => {
    const { actual_lrps } = await reached(bbs.call('actual_lrps', { process_guid: processGuid(process) }));
    return actual_lrps;
  };

  const deployer = startDeployer({
    ...{ store, clock, log },
    async routable(process) {
      const running = (await lrpsOf(process)).filter(
        ({ state, routable, actual_lrp_key }) =>
          state === 'RUNNING' && routable !== false && (actual_lrp_key?.index ?? 0) < process.instances,
      );
      return new Set(running.map(({ actual_lrp_key }) => actual_lrp_key?.index ?? 0)).size;
    },
  });

  async function end(): Promise<void> {
    stopping.abort();
    unwatch();
    await deployer.close();
    await sync.close();
    await following;
    await stopSweeping();
    await listener.close();
    await bbs.close();
  }
  let ended: Promise<void> | undefined;

  return {
    internal_url: listener.url,
    told: (most_ms) => sync.passed(most_ms),
    async stats(process, app) {
      if (process.instances === 0) return [];
      const since = clock.now() - METRICS_MS;
      const [lrps, gauges] = await Promise.all([
        lrpsOf(process),
        logs.read(app.guid, { types: ['GAUGE'], since, limit: 1_000 }).catch(() => []),
      ]);
      const isolation_segment = appFacts(store, app, 'running')?.isolation_segment ?? null;
      const started = app.state === 'STARTED';
      return statsOf({ process, started, lrps, gauges, isolation_segment, now: clock.now() });
    },
    async instances(processes) {
      const guids = processes.filter(({ instances }) => instances > 0).map(processGuid);
      const lrps =
        guids.length === 0
          ? []
          : (await reached(bbs.call('actual_lrps_by_process_guids', { process_guids: guids }))).actual_lrps;
      return new Map(
        processes.map((process) => {
          const mine = lrps.filter((lrp) => lrp.actual_lrp_key?.process_guid === processGuid(process));
          const started = store.app.get(process.app_guid)?.state === 'STARTED';
          return [process.guid, instancesOf(process, started, mine, clock.now())];
        }),
      );
    },
    async restartInstance(process, index) {
      const lrp = (await lrpsOf(process)).find(({ actual_lrp_key }) => (actual_lrp_key?.index ?? 0) === index);
      if (!lrp?.actual_lrp_key) return false;
      await reached(bbs.call('retire', { actual_lrp_key: lrp.actual_lrp_key }));
      return true;
    },
    async cancelBuild(task_guid) {
      await bbs.call('cancel_task', { task_guid }).catch((err: unknown) => {
        if (!(err instanceof BbsError)) throw err;
      });
    },
    say: (app, text) => say(logs, app, 'API', text, clock.now()),
    close: () => (ended ??= end()),
  };
}

/** A BBS that cannot be reached, as Cloud Controller tells it. */
async function reached<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (err) {
    if (!(err instanceof UnikError)) throw err;
    throw cfError('InstancesUnavailable', messageOf(err));
  }
}
