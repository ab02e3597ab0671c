/**
 * Keeps the BBS as the tables say, by level: each pass compares all there is, so what a crash or an outage cut off is
 * done by the next. Changes of the tables wake it; otherwise it passes as often as Cloud Controller's clock does.
 */
import { BbsError, type Bbs } from '../../../backend/wire/bbs.js';
import type { Clock } from '../../../core/clock.js';
import { messageOf } from '../../../core/errors.js';
import type { Log } from '../../../core/log.js';
import type { Build, Task } from '../model.js';
import { appTask, TASKS_DOMAIN } from '../recipes/app-task.js';
import { APPS_DOMAIN, desiredLrp } from '../recipes/desired-lrp.js';
import { STAGING_TIMEOUT_S, type Places, type ProcessFacts } from '../recipes/facts.js';
import { STAGING_DOMAIN, stagingTask } from '../recipes/staging-task.js';
import type { Store } from '../store.js';
import { processFacts, stagingFacts, taskFacts } from './gather.js';
import { endBuild } from './outcome.js';
import { planLrps } from './plan.js';
import { stagingError } from './staging-result.js';

export interface SyncOptions {
  store: Store;
  bbs: Bbs;
  places: Places;
  clock: Clock;
  log: Log;
  /** Milliseconds between passes that nothing woke. */
  period_ms?: number;
  /** And after one that failed. */
  retry_ms?: number;
}

export interface Sync {
  /** Something changed. */
  kick(): void;
  /** Resolves when a pass that began after this call has ended; false: it failed, or took longer than `most_ms`. */
  passed(most_ms: number): Promise<boolean>;
  close(): Promise<void>;
}

/** Seconds for which the BBS takes a domain for fresh: it removes nothing of one that is not. */
const DOMAIN_TTL_S = 120;
/** How long a build may be STAGING in all: its timeout, and its wait for a cell. */
const BUILD_MS = (STAGING_TIMEOUT_S + 300) * 1_000;

export function startSync(options: SyncOptions): Sync {
  const { clock, log, period_ms = 30_000, retry_ms = 1_000 } = options;
  const stopping = new AbortController();
  const isStopping = (): boolean => stopping.signal.aborted;
  let waiting: ((ok: boolean) => void)[] = [];
  let dirty = true;
  const isDirty = (): boolean => dirty;
  let wake: () => void = () => undefined;

  async function run(): Promise<void> {
    while (!isStopping()) {
      dirty = false;
      const told = waiting;
      waiting = [];
      const ok = await pass(options, stopping.signal).catch((err: unknown) => {
        if (!isStopping()) log.warn({ reason: messageOf(err) }, 'sync.pass-failed');
        return false;
      });
      for (const tell of told) tell(ok);
      if (!isDirty() || !ok) await pause(ok ? period_ms : retry_ms, !ok);
    }
    for (const tell of waiting) tell(false);
  }

  /** Ends early when something changes, unless the last pass failed: then the pause is kept. */
  async function pause(ms: number, whole: boolean): Promise<void> {
    const early = new AbortController();
    const stop = (): void => early.abort();
    stopping.signal.addEventListener('abort', stop, { once: true });
    if (!whole) wake = stop;
    if (stopping.signal.aborted || (dirty && !whole)) stop();
    await clock.sleep(ms, early.signal).catch(() => undefined);
    wake = () => undefined;
    stopping.signal.removeEventListener('abort', stop);
  }

  const kick = (): void => {
    dirty = true;
    wake();
  };
  const running = run();
  return {
    kick,
    async passed(most_ms) {
      let timer: NodeJS.Timeout | undefined;
      const pass = new Promise<boolean>((resolve) => waiting.push(resolve));
      const late = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), most_ms)));
      kick();
      const ok = await Promise.race([pass, late]);
      clearTimeout(timer);
      return ok;
    },
    async close() {
      stopping.abort();
      await running;
    },
  };
}

/** False: something could not be done; all that could be was. */
async function pass(options: SyncOptions, signal: AbortSignal): Promise<boolean> {
  const parts = await Promise.allSettled([
    syncLrps(options, signal),
    syncTasks(options, signal),
    syncBuilds(options, signal),
  ]);
  const failed = parts.filter((part) => part.status === 'rejected');
  for (const { reason } of failed) {
    signal.throwIfAborted();
    options.log.warn({ reason: messageOf(reason) }, 'sync.part-failed');
  }
  return failed.length === 0;
}

async function syncLrps({ store, bbs, places, log }: SyncOptions, signal: AbortSignal): Promise<void> {
  const { desired_lrp_scheduling_infos: there } = await bbs.call(
    'scheduling_infos',
    { domain: APPS_DOMAIN },
    { signal },
  );
  const plan = planLrps(wanted(store), there);
  const failures: unknown[] = [];
  const attempt = async (what: string, process_guid: string, work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
      log.info({ process_guid }, `sync.${what}`);
    } catch (err) {
      signal.throwIfAborted();
      // Done by a call whose answer was lost, or gone meanwhile: the next pass sees what is there.
      const overtaken = err instanceof BbsError && (err.type === 'ResourceNotFound' || err.type === 'ResourceExists');
      if (!overtaken) failures.push(err);
    }
  };
  for (const process_guid of plan.remove) {
    await attempt('removed', process_guid, () => bbs.call('remove_lrp', { process_guid }, { signal }));
  }
  for (const { process_guid, update } of plan.update) {
    await attempt('updated', process_guid, () => bbs.call('update_lrp', { process_guid, update }, { signal }));
  }
  for (const facts of plan.desire) {
    const desired_lrp = desiredLrp(facts, places);
    await attempt('desired', desired_lrp.process_guid ?? '', () => bbs.call('desire_lrp', { desired_lrp }, { signal }));
  }
  if (failures.length > 0) throw failures[0];
  await bbs.call('upsert_domain', { domain: APPS_DOMAIN, ttl: DOMAIN_TTL_S }, { signal });
}

/** Every process that is to run: of a started app with a droplet, at least one of it. */
export function wanted(store: Store): ProcessFacts[] {
  return store.process
    .filter(({ app_guid, instances }) => instances > 0 && store.app.get(app_guid)?.state === 'STARTED')
    .flatMap((process) => processFacts(store, process) ?? []);
}

async function syncTasks({ store, bbs, places, log }: SyncOptions, signal: AbortSignal): Promise<void> {
  // Those that are rows now: one that is made later may be missing in the list, and is none of this pass.
  const rows = store.task.filter(({ state }) => state === 'PENDING' || state === 'RUNNING' || state === 'CANCELING');
  const { tasks } = await bbs.call('tasks', { domain: TASKS_DOMAIN }, { signal });
  const there = new Map(tasks.map((task) => [task.task_guid, task]));
  for (const row of rows) {
    const known = there.get(row.guid);
    const now = store.task.get(row.guid);
    if (!now || now.state === 'SUCCEEDED' || now.state === 'FAILED') continue;
    if (known) {
      if (now.state === 'CANCELING' && (known.state === 'Pending' || known.state === 'Running')) {
        await bbs.call('cancel_task', { task_guid: row.guid }, { signal });
      } else if (now.state === 'PENDING') store.change((tx) => tx.update('task', row.guid, { state: 'RUNNING' }));
    } else if (now.state === 'PENDING') await desireTask({ store, bbs, places, log }, now, signal);
    else
      store.change((tx) =>
        tx.update('task', row.guid, { state: 'FAILED', failure_reason: 'The BBS no longer knows of this task' }),
      );
  }
  for (const { task_guid, state } of tasks) {
    if (!store.task.get(task_guid) && (state === 'Pending' || state === 'Running')) {
      await bbs.call('cancel_task', { task_guid }, { signal }).catch(ignoreGone);
    }
  }
  await bbs.call('upsert_domain', { domain: TASKS_DOMAIN, ttl: DOMAIN_TTL_S }, { signal });
}

async function desireTask(
  { store, bbs, places, log }: Pick<SyncOptions, 'store' | 'bbs' | 'places' | 'log'>,
  task: Task,
  signal: AbortSignal,
): Promise<void> {
  const facts = taskFacts(store, task);
  try {
    if (!facts) throw new BbsError('InvalidRequest', 'its application or its droplet is gone');
    await bbs.call(
      'desire_task',
      { task_guid: task.guid, domain: TASKS_DOMAIN, task_definition: appTask(facts, places) },
      { signal },
    );
    log.info({ task_guid: task.guid }, 'sync.task-desired');
  } catch (err) {
    if (!(err instanceof BbsError)) throw err;
    if (err.type !== 'ResourceExists') {
      store.change((tx) => tx.update('task', task.guid, { state: 'FAILED', failure_reason: err.message }));
      return;
    }
  }
  if (store.task.get(task.guid)?.state === 'PENDING') {
    store.change((tx) => tx.update('task', task.guid, { state: 'RUNNING' }));
  }
}

async function syncBuilds(options: SyncOptions, signal: AbortSignal): Promise<void> {
  const { store, bbs, clock } = options;
  const rows = store.build.filter(({ state }) => state === 'STAGING');
  if (rows.length === 0) return;
  const { tasks } = await bbs.call('tasks', { domain: STAGING_DOMAIN }, { signal });
  const there = new Set(tasks.map(({ task_guid }) => task_guid));
  for (const { guid, created_at } of rows) {
    const build = store.build.get(guid);
    if (build?.state !== 'STAGING' || there.has(guid)) continue;
    if (clock.now() - Date.parse(created_at) > BUILD_MS) {
      fail(store, build, stagingError('StagingTimeExpired', 'the task of this build is gone'));
    } else await desireStaging(options, build, signal);
  }
}

async function desireStaging(
  { store, bbs, places, log }: SyncOptions,
  build: Build,
  signal: AbortSignal,
): Promise<void> {
  const facts = stagingFacts(store, build);
  if (!facts) {
    fail(store, build, stagingError('StagingError', 'the stack or the package of this build is gone'));
    return;
  }
  const refused = await noCell(bbs, facts.stack.build_rootfs, facts.stack.name, signal);
  if (refused !== undefined) {
    fail(store, build, stagingError('NoCompatibleCell', refused));
    return;
  }
  try {
    await bbs.call(
      'desire_task',
      { task_guid: build.guid, domain: STAGING_DOMAIN, task_definition: stagingTask(facts, places) },
      { signal },
    );
    log.info({ task_guid: build.guid }, 'sync.staging-desired');
  } catch (err) {
    if (!(err instanceof BbsError)) throw err;
    if (err.type !== 'ResourceExists') fail(store, build, stagingError('StagerError', err.message));
  }
}

/**
 * Why no cell can stage for a stack; undefined: one can, or there is no cell at all just now and the auction waits for
 * one. The BBS would say it too, only after several attempts, and without the stacks there are.
 */
async function noCell(bbs: Bbs, rootfs: string, stack: string, signal: AbortSignal): Promise<string | undefined> {
  const { cells } = await bbs.call('cells', undefined, { signal });
  const offers = cells.flatMap(({ rootfs_providers }) =>
    rootfs_providers.filter(({ name }) => name === 'preloaded').flatMap(({ properties }) => properties),
  );
  if (offers.length === 0 || offers.includes(rootfs)) return undefined;
  const there = [...new Set(offers)].sort().join(', ');
  return `no cell has the stack '${stack}'; there are cells for: ${there}`;
}

const fail = (store: Store, build: Build, error: string): void =>
  store.change((tx) => endBuild(tx, store, build, error));

function ignoreGone(err: unknown): void {
  if (!(err instanceof BbsError && err.type === 'ResourceNotFound')) throw err;
}
