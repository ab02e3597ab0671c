/** Deployments: a new web process grows while the old one shrinks, so that requests are answered throughout. */
import { randomUUID } from 'node:crypto';
import type { Caller } from '../access.js';
import type { Cc } from '../cc.js';
import { invalid } from '../errors.js';
import { type App, type Deployment, type Droplet, type Metadata, type Process, type Revision } from '../model.js';
import { timeOf, type Store, type Tx } from '../store.js';
import { assignDroplet, recordApp, startApp } from './apps.js';
import { reviseApp } from './revisions.js';

/** The deployment of an app that is still going on. */
export const activeDeployment = (store: Store, app_guid: string): Deployment | undefined =>
  store.deployment.find((one) => one.app_guid === app_guid && one.status_value === 'ACTIVE');

export interface DeploymentOrder {
  app: App;
  /** Undefined: the app's own. */
  droplet?: Droplet | undefined;
  /** Back to what it was then. */
  revision?: Revision | undefined;
  strategy: Deployment['strategy'];
  max_in_flight: number;
  web_instances: number | null;
  memory_in_mb: number | null;
  disk_in_mb: number | null;
  log_rate_limit_in_bytes_per_second: number | null;
  canary_steps: { instance_weight: number }[] | null;
  metadata: Metadata;
}

export function createDeployment(cc: Cc, tx: Tx, caller: Caller, order: DeploymentOrder): Deployment {
  const { store, clock } = cc;
  const { revision, strategy, max_in_flight, web_instances, memory_in_mb, disk_in_mb, canary_steps } = order;
  const { log_rate_limit_in_bytes_per_second, metadata } = order;
  const before = order.app;
  const droplet = order.droplet ?? store.droplet.get(revision?.droplet_guid ?? before.droplet_guid ?? '');
  if (droplet?.app_guid !== before.guid || droplet.state !== 'STAGED') {
    throw invalid(
      order.droplet || revision
        ? 'Unable to deploy this revision, the droplet for this revision no longer exists.'
        : 'Invalid droplet. Please specify a droplet in the request or set a current droplet for the app.',
    );
  }
  let app = droplet.guid === before.droplet_guid ? before : assignDroplet(cc, tx, caller, before, droplet);
  if (revision) {
    app = tx.update('app', app.guid, { environment: revision.environment });
    for (const process of store.process.filter((one) => one.app_guid === app.guid)) {
      if (Object.hasOwn(revision.commands, process.type))
        tx.update('process', process.guid, { command: revision.commands[process.type] ?? null });
    }
  }
  const last = activeDeployment(store, app.guid);
  if (last) tx.update('deployment', last.guid, ended(timeOf(clock.now()), 'SUPERSEDED'));
  const olds = store.process.filter((one) => one.app_guid === app.guid && one.type === 'web');
  const web = olds.at(-1);
  if (!web) throw invalid('The app has no web process to deploy.');
  const original = last?.original_web_instances ?? web.instances;
  const base = {
    ...{ app_guid: app.guid, strategy, max_in_flight, web_instances, memory_in_mb, disk_in_mb, canary_steps, metadata },
    ...{ log_rate_limit_in_bytes_per_second, canary_step: 0, error: null, last_status_change: timeOf(clock.now()) },
    ...{ droplet_guid: droplet.guid, previous_droplet_guid: before.droplet_guid, original_web_instances: original },
  } as const;
  if (app.state === 'STOPPED') {
    tx.update('process', web.guid, {
      ...sizesOf(order),
      ...(web_instances === null ? {} : { instances: web_instances }),
    });
    const started = startApp(cc, tx, caller, app);
    return tx.insert('deployment', {
      ...base,
      ...{ state: 'DEPLOYED', status_value: 'FINALIZED', status_reason: 'DEPLOYED', process_guid: web.guid },
      revision_guid: started.revision_guid,
    });
  }
  const now = reviseApp(cc, tx, app);
  const total = web_instances ?? original;
  const isCanary = strategy === 'canary';
  const first = isCanary ? (stepInstances(canary_steps, 0, total) ?? 1) : Math.max(1, Math.min(max_in_flight, total));
  const { command, user, health_check, readiness_health_check } = web;
  const process = tx.insert('process', {
    ...{ app_guid: app.guid, type: 'web', command, user, instances: strategy === 'recreate' ? total : first },
    ...{ memory_in_mb: web.memory_in_mb, disk_in_mb: web.disk_in_mb },
    log_rate_limit_in_bytes_per_second: web.log_rate_limit_in_bytes_per_second,
    ...sizesOf(order),
    ...{
      health_check,
      readiness_health_check,
      version: randomUUID(),
      revision_guid: now?.guid ?? null,
      metadata: web.metadata,
    },
  });
  if (strategy === 'recreate') for (const old of olds) tx.update('process', old.guid, { instances: 0 });
  tx.update('app', app.guid, { revision_guid: now?.guid ?? null });
  recordApp(cc, tx, caller, 'audit.app.deployment.create', app, { droplet_guid: droplet.guid, strategy });
  return tx.insert('deployment', {
    ...base,
    ...{ state: isCanary ? 'PREPAUSED' : 'DEPLOYING', status_value: 'ACTIVE', status_reason: 'DEPLOYING' },
    ...{ process_guid: process.guid, revision_guid: now?.guid ?? null },
  });
}

function sizesOf(order: DeploymentOrder): Partial<Process> {
  const { memory_in_mb, disk_in_mb, log_rate_limit_in_bytes_per_second: rate } = order;
  return {
    ...(memory_in_mb === null ? {} : { memory_in_mb }),
    ...(disk_in_mb === null ? {} : { disk_in_mb }),
    ...(rate === null ? {} : { log_rate_limit_in_bytes_per_second: rate }),
  };
}

/** Instances of a canary's step: the given part of all, at least one. Undefined: there is no such step. */
export function stepInstances(steps: Deployment['canary_steps'], step: number, total: number): number | undefined {
  const weight = steps?.[step]?.instance_weight;
  return weight === undefined ? undefined : Math.max(1, Math.round((total * weight) / 100));
}

type Reason = 'DEPLOYED' | 'CANCELED' | 'SUPERSEDED';

const ended = (last_status_change: string, reason: Reason): Partial<Deployment> => ({
  ...{ state: reason === 'CANCELED' ? 'CANCELED' : 'DEPLOYED', status_value: 'FINALIZED', status_reason: reason },
  last_status_change,
});

/** Back to the process that was there before; it is as large as it was. */
export function cancelDeployment(cc: Pick<Cc, 'store' | 'clock'>, tx: Tx, deployment: Deployment): Deployment {
  const { store, clock } = cc;
  const { app_guid, process_guid, previous_droplet_guid, original_web_instances } = deployment;
  const webs = store.process.filter((one) => one.app_guid === app_guid && one.type === 'web');
  const prior = webs.findLast((one) => one.guid !== process_guid);
  if (prior) {
    tx.update('process', prior.guid, { instances: original_web_instances });
    for (const one of webs) if (one.guid !== prior.guid) tx.remove('process', one.guid);
    tx.update('app', app_guid, { droplet_guid: previous_droplet_guid, revision_guid: prior.revision_guid });
  }
  return tx.update('deployment', deployment.guid, ended(timeOf(clock.now()), 'CANCELED'));
}

/** A paused canary goes on: to its next step, or to the rest. */
export function continueDeployment(cc: Pick<Cc, 'store' | 'clock'>, tx: Tx, deployment: Deployment): Deployment {
  const { canary_steps, canary_step, process_guid, web_instances, original_web_instances } = deployment;
  const total = web_instances ?? original_web_instances;
  const next = stepInstances(canary_steps, canary_step + 1, total);
  const change = { status_reason: 'DEPLOYING' as const, last_status_change: timeOf(cc.clock.now()) };
  if (next === undefined) return tx.update('deployment', deployment.guid, { ...change, state: 'DEPLOYING' });
  if (process_guid !== null) tx.update('process', process_guid, { instances: next });
  return tx.update('deployment', deployment.guid, { ...change, state: 'PREPAUSED', canary_step: canary_step + 1 });
}

/** What a deployment needs next. `olds`: the web processes before it, oldest first. */
export interface DeploymentView {
  deployment: Deployment;
  current: Pick<Process, 'guid' | 'instances'>;
  olds: readonly Pick<Process, 'guid' | 'instances'>[];
  /** Of the new process: run and take requests. */
  running: number;
}

export type Move =
  | { kind: 'wait' }
  | { kind: 'pause' }
  | { kind: 'finish' }
  | { kind: 'scale'; instances: number; olds: { guid: string; instances: number }[] };

/** Pure. Old instances go only as new ones have come. */
export function nextMove({ deployment, current, olds, running }: DeploymentView): Move {
  const { state, max_in_flight, web_instances, original_web_instances } = deployment;
  const total = web_instances ?? original_web_instances;
  if (state === 'PAUSED') return { kind: 'wait' };
  // A canary is one more than there were.
  const left = shrink(olds, Math.max(0, total - running + (state === 'PREPAUSED' ? 1 : 0)));
  if (running < current.instances) {
    // What runs already may take over from old ones, also before all do.
    return left.length > 0 ? { kind: 'scale', instances: current.instances, olds: left } : { kind: 'wait' };
  }
  if (state === 'PREPAUSED')
    return left.length > 0 ? { kind: 'scale', instances: current.instances, olds: left } : { kind: 'pause' };
  if (current.instances >= total) return { kind: 'finish' };
  return { kind: 'scale', instances: Math.min(total, current.instances + max_in_flight), olds: left };
}

/** Those that have to change so that no more than `keep` are left; the oldest go first. */
function shrink(olds: DeploymentView['olds'], keep: number): { guid: string; instances: number }[] {
  let surplus = olds.reduce((sum, { instances }) => sum + instances, 0) - keep;
  const changed: { guid: string; instances: number }[] = [];
  for (const { guid, instances } of olds) {
    const cut = Math.min(instances, Math.max(0, surplus));
    if (cut === 0) continue;
    surplus -= cut;
    changed.push({ guid, instances: instances - cut });
  }
  return changed;
}

/** The new process is the only one; processes of other types start anew with what the web process has. */
export function finishDeployment(cc: Pick<Cc, 'store' | 'clock'>, tx: Tx, deployment: Deployment): void {
  const { store, clock } = cc;
  const { app_guid, process_guid, revision_guid, web_instances, original_web_instances } = deployment;
  for (const one of store.process.filter((process) => process.app_guid === app_guid)) {
    if (one.guid === process_guid)
      tx.update('process', one.guid, { instances: web_instances ?? original_web_instances });
    else if (one.type === 'web') tx.remove('process', one.guid);
    else tx.update('process', one.guid, { version: randomUUID(), revision_guid });
  }
  tx.update('deployment', deployment.guid, ended(timeOf(clock.now()), 'DEPLOYED'));
}
