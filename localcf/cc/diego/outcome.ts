/** What tasks of the BBS leave in the tables: uploads, staged and failed builds, ended app tasks. */
import type { Clock } from '../../../core/clock.js';
import type { HeldBlob } from '../blobs.js';
import { audit, stagingUsage } from '../events.js';
import type { AuditEvent, Build, Droplet } from '../model.js';
import type { Store, Tx } from '../store.js';
import { say, type AppLogs } from './logs.js';
import { outcomeOf, stagingError, type Callback } from './staging-result.js';
import { whyOf } from './why.js';

export interface OutcomeParts {
  store: Store;
  logs: AppLogs;
  clock: Clock;
  /**
   * Milliseconds that a build is still STAGING after its task has ended: the CLI does not show lines younger than two
   * seconds, and stops reading when the build is done.
   */
  linger_ms: number;
}

const SYSTEM: AuditEvent['actor'] = { guid: 'staging', type: 'system', name: 'staging' };
/** Bits of an app that are kept beside those in use (CC `max_valid_packages_stored`, `max_staged_droplets_stored`). */
const KEPT = 5;

/** False: the build is not staging any more. */
export async function takeUpload(
  { store }: OutcomeParts,
  kind: 'droplet' | 'cache',
  build_guid: string,
  { sha256, bytes }: HeldBlob,
): Promise<boolean> {
  const build = store.build.get(build_guid);
  if (build?.state !== 'STAGING' || build.lifecycle.type === 'docker') return false;
  const { app_guid, lifecycle } = build;
  const stack = lifecycle.data.stack ?? '';
  store.change((tx) => {
    if (kind === 'cache') {
      const known = store.build_cache.find((one) => one.app_guid === app_guid && one.stack === stack);
      if (known) tx.update('build_cache', known.guid, { sha256, bytes });
      else tx.insert('build_cache', { app_guid, stack, sha256, bytes });
      return;
    }
    const known = store.droplet.find((one) => one.build_guid === build_guid);
    if (known) tx.update('droplet', known.guid, { sha256, bytes });
    else tx.insert('droplet', emptyDroplet(build, { sha256, bytes }));
  });
  await store.settled();
  return true;
}

const emptyDroplet = (
  build: Build,
  bits: Pick<Droplet, 'sha256' | 'bytes'>,
): Omit<Droplet, 'guid' | 'seq' | 'created_at' | 'updated_at'> => ({
  ...{ app_guid: build.app_guid, package_guid: build.package_guid, build_guid: build.guid, ...bits },
  ...{ state: 'PROCESSING_UPLOAD', error: null, lifecycle: build.lifecycle, image: null, execution_metadata: '' },
  stack: build.lifecycle.type === 'docker' ? null : build.lifecycle.data.stack,
  ...{ process_types: {}, sidecars: [], buildpacks: [], metadata: { labels: {}, annotations: {} } },
});

/** The BBS tells how a staging task ended; told twice, the second time nothing happens. */
export async function completeStaging(parts: OutcomeParts, build_guid: string, callback: Callback): Promise<void> {
  const { store, logs, clock, linger_ms } = parts;
  const before = store.build.get(build_guid);
  if (before?.state !== 'STAGING') return;
  const lines = callback.failed
    ? await logs.read(before.app_guid, { types: ['LOG'], since: Date.parse(before.created_at), limit: 200 })
    : [];
  const why = whyOf(
    lines
      .filter(({ tags }) => tags['source_type'] === 'STG')
      .map(({ log }) => Buffer.from(log?.payload ?? []).toString())
      .reverse(),
  );
  await clock.sleep(linger_ms);
  store.change((tx) => {
    const build = store.build.get(build_guid);
    if (build?.state !== 'STAGING') return;
    const droplet = store.droplet.find((one) => one.build_guid === build_guid);
    const has_command = store.process.find((one) => one.app_guid === build.app_guid && one.type === 'web')?.command;
    const outcome = outcomeOf(callback, {
      ...{ has_command: has_command !== undefined && has_command !== null, has_droplet: droplet !== undefined, why },
    });
    if ('error' in outcome || !droplet) {
      endBuild(tx, store, build, 'error' in outcome ? outcome.error : stagingError('StagingError', 'no droplet'));
      return;
    }
    tx.update('droplet', droplet.guid, { state: 'STAGED', ...outcome.staged });
    tx.update('build', build.guid, { state: 'STAGED', droplet_guid: droplet.guid });
    stagingUsage(tx, store, build, 'STAGING_STOPPED');
    stagingUsage(tx, store, build, 'BUILDPACK_SET', outcome.staged.buildpacks.at(-1)?.name);
    told(tx, store, build, 'audit.app.build.staged');
    expireOld(tx, store, build.app_guid);
  });
  await store.settled();
}

/** Ends a build that failed; its droplet, if it has come, goes. */
export function endBuild(tx: Tx, store: Store, build: Build, error: string): void {
  const droplet = store.droplet.find((one) => one.build_guid === build.guid);
  if (droplet) tx.remove('droplet', droplet.guid);
  tx.update('build', build.guid, { state: 'FAILED', error });
  stagingUsage(tx, store, build, 'STAGING_STOPPED');
  told(tx, store, build, 'audit.app.build.failed');
}

function told(tx: Tx, store: Store, { app_guid, guid, package_guid, created_by }: Build, type: string): void {
  const app = store.app.get(app_guid);
  if (!app) return;
  const actor =
    created_by.guid === '' ? SYSTEM : { guid: created_by.guid, type: 'user' as const, name: created_by.name };
  audit(
    tx,
    store,
    actor,
    type,
    { guid: app_guid, type: 'app', name: app.name },
    {
      space_guid: app.space_guid,
      data: { build_guid: guid, package_guid },
    },
  );
}

/** Bits beyond the newest few, and not in use, are forgotten; the rows stay and say so. */
function expireOld(tx: Tx, store: Store, app_guid: string): void {
  const current = store.app.get(app_guid)?.droplet_guid;
  const used = new Set([
    current,
    ...store.revision
      .filter((one) => one.app_guid === app_guid)
      .slice(-KEPT)
      .map(({ droplet_guid }) => droplet_guid),
    ...store.task
      .filter((one) => one.app_guid === app_guid && one.state !== 'SUCCEEDED' && one.state !== 'FAILED')
      .map(({ droplet_guid }) => droplet_guid),
  ]);
  const droplets = store.droplet.filter(
    (one) => one.app_guid === app_guid && one.state === 'STAGED' && !used.has(one.guid),
  );
  for (const { guid } of droplets.slice(0, -KEPT))
    tx.update('droplet', guid, { state: 'EXPIRED', sha256: null, bytes: null });
  const packages = store.package.filter(
    (one) => one.app_guid === app_guid && one.state === 'READY' && one.type === 'bits',
  );
  for (const { guid } of packages.slice(0, -KEPT))
    tx.update('package', guid, { state: 'EXPIRED', sha256: null, bytes: null });
}

export async function completeTask(
  { store, logs, clock }: OutcomeParts,
  task_guid: string,
  callback: Callback,
): Promise<void> {
  const task = store.task.get(task_guid);
  if (!task || task.state === 'SUCCEEDED' || task.state === 'FAILED') return;
  store.change((tx) => {
    tx.update('task', task_guid, {
      state: callback.failed ? 'FAILED' : 'SUCCEEDED',
      failure_reason: callback.failed ? callback.failure_reason : null,
    });
  });
  const app = store.app.get(task.app_guid);
  if (app && callback.failed && callback.failure_reason !== '') {
    say(logs, app, 'API', `Task ${task.name} failed: ${callback.failure_reason}`, clock.now());
  }
  await store.settled();
}
