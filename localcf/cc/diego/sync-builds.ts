import { BbsError, type Bbs } from '../../../backend/wire/bbs.js';
import type { Build } from '../model.js';
import { STAGING_TIMEOUT_S } from '../recipes/facts.js';
import { STAGING_DOMAIN, stagingTask } from '../recipes/staging-task.js';
import type { Store } from '../store.js';
import { stagingFacts } from './gather.js';
import { endBuild } from './outcome.js';
import { stagingError } from './staging-result.js';
import type { SyncOptions } from './sync.js';

/** How long a build may be STAGING in all: its timeout, and its wait for a cell. */
const BUILD_MS = (STAGING_TIMEOUT_S + 300) * 1_000;

/** Desires a staging task for each build that waits, and ends those that nothing will come of. */
export async function syncBuilds(options: SyncOptions, signal: AbortSignal): Promise<void> {
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
