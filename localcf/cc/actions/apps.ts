/** What is done to apps, by a call or by a manifest. All within one change of the store. */
import { randomUUID } from 'node:crypto';
import type { Caller } from '../access.js';
import type { Cc } from '../cc.js';
import { cfError, invalid } from '../errors.js';
import { audit, usage } from '../events.js';
import {
  noMetadata,
  type App,
  type Droplet,
  type Lifecycle,
  type Metadata,
  type Space,
  type Strings,
} from '../model.js';
import type { Store, Tx } from '../store.js';
import { needFlag } from '../resources/feature-flags.js';
import { freshProcess } from './defaults.js';
import { reviseApp } from './revisions.js';

export interface AppOrder {
  name: string;
  space: Space;
  lifecycle?: LifecycleOrder | undefined;
  environment?: Strings;
  metadata?: Metadata;
}

export interface LifecycleOrder {
  type?: Lifecycle['type'] | undefined;
  data?: { buildpacks?: string[] | null | undefined; stack?: string | null | undefined } | undefined;
}

export function createApp(cc: Cc, tx: Tx, caller: Caller, order: AppOrder): App {
  const { store, config } = cc;
  const { name, space, environment = {}, metadata = noMetadata() } = order;
  refuseTaken(store, name, space.guid);
  const app = tx.insert('app', {
    ...{
      name,
      space_guid: space.guid,
      state: 'STOPPED',
      environment,
      metadata,
      droplet_guid: null,
      revision_guid: null,
    },
    lifecycle: lifecycleOf(store, undefined, order.lifecycle ?? {}),
    features: { ssh: true, revisions: true, 'service-binding-k8s': false, 'file-based-vcap-services': false },
  });
  tx.insert('process', freshProcess(config, app.guid, 'web'));
  recordApp(cc, tx, caller, 'audit.app.create', app, { request: { name } });
  return app;
}

export function refuseTaken(store: Store, name: string, space_guid: string, except?: string): void {
  const other = store.app.find((one) => one.space_guid === space_guid && one.name.toLowerCase() === name.toLowerCase());
  if (other && other.guid !== except) throw cfError('UniquenessError', `App with the name '${name}' already exists.`);
}

/** The lifecycle after an order, which may name parts of it only. Throws 422. */
export function lifecycleOf(
  store: Store,
  before: Lifecycle | undefined,
  { type, data = {} }: LifecycleOrder,
): Lifecycle {
  const kind = type ?? before?.type ?? 'buildpack';
  if (before && kind !== before.type) {
    throw invalid(`Lifecycle type cannot be changed from ${before.type} to ${kind}`);
  }
  if (kind === 'docker') return { type: 'docker', data: {} };
  const known = before?.type === 'docker' ? undefined : before?.data;
  const stack =
    data.stack === undefined
      ? (known?.stack ?? defaultStack(store))
      : data.stack === null
        ? defaultStack(store)
        : data.stack;
  if (stack !== null) refuseStack(store, stack, before === undefined);
  const buildpacks = data.buildpacks === undefined ? (known?.buildpacks ?? []) : (data.buildpacks ?? []);
  for (const name of buildpacks) refuseBuildpack(store, name, stack);
  return { type: kind, data: { buildpacks, stack } };
}

const defaultStack = (store: Store): string | null => store.stack.find(({ is_default }) => is_default)?.name ?? null;

function refuseStack(store: Store, name: string, isNew: boolean): void {
  const stack = store.stack.find((one) => one.name === name);
  if (!stack) throw invalid('Stack must be an existing stack');
  if (stack.state === 'DISABLED') throw invalid(`Stack '${name}' is disabled. ${stack.state_reason ?? ''}`.trim());
  if (stack.state === 'RESTRICTED' && isNew) {
    throw invalid(`Stack '${name}' is restricted and cannot be used for new apps. ${stack.state_reason ?? ''}`.trim());
  }
}

function refuseBuildpack(store: Store, name: string, stack: string | null): void {
  if (/^(https?|git|ssh):\/\/|^git@/.test(name)) return;
  const rows = store.buildpack.filter((one) => one.name === name);
  if (rows.length === 0) throw invalid(`Buildpack "${name}" must be an existing admin buildpack or a valid git URI`);
  if (stack !== null && !rows.some((one) => one.stack === null || one.stack === stack)) {
    throw invalid(`Buildpack "${name}" for stack "${stack}" must be an existing admin buildpack or a valid git URI`);
  }
}

/** Sets the droplet, and makes the processes and sidecars that it has and the app has not. */
export function assignDroplet(cc: Cc, tx: Tx, caller: Caller, app: App, droplet: Droplet): App {
  const { store, config } = cc;
  const updated = tx.update('app', app.guid, { droplet_guid: droplet.guid });
  const mine = store.process.filter((one) => one.app_guid === app.guid);
  for (const type of Object.keys(droplet.process_types)) {
    if (!mine.some((one) => one.type === type)) tx.insert('process', freshProcess(config, app.guid, type));
  }
  const beside = store.sidecar.filter((one) => one.app_guid === app.guid);
  for (const { name, command, process_types, memory } of droplet.sidecars) {
    if (beside.some((one) => one.name === name)) continue;
    tx.insert('sidecar', { app_guid: app.guid, name, command, process_types, memory_in_mb: memory });
  }
  recordApp(cc, tx, caller, 'audit.app.droplet.mapped', app, { request: { droplet_guid: droplet.guid } });
  return updated;
}

/** The app starts, or with `again` starts anew; a new version of each process is a new LRP. Throws 422 without a droplet. */
export function startApp(cc: Cc, tx: Tx, caller: Caller, app: App, again = false): App {
  const { store } = cc;
  const droplet = store.droplet.get(app.droplet_guid ?? '');
  if (!droplet) throw invalid('Assign a droplet before starting this app.');
  if (app.lifecycle.type === 'docker') needFlag(store, 'diego_docker', false);
  if (app.state === 'STARTED' && !again) return app;
  const revision = reviseApp(cc, tx, app);
  for (const process of store.process.filter((one) => one.app_guid === app.guid)) {
    tx.update('process', process.guid, { version: randomUUID(), revision_guid: revision?.guid ?? null });
  }
  const updated = tx.update('app', app.guid, { state: 'STARTED', revision_guid: revision?.guid ?? null });
  recordApp(cc, tx, caller, again ? 'audit.app.restart' : 'audit.app.start', app);
  recordUsage(store, tx, updated, app.state);
  return updated;
}

export function stopApp(cc: Cc, tx: Tx, caller: Caller, app: App): App {
  if (app.state === 'STOPPED') return app;
  const updated = tx.update('app', app.guid, { state: 'STOPPED' });
  recordApp(cc, tx, caller, 'audit.app.stop', app);
  recordUsage(cc.store, tx, updated, app.state);
  return updated;
}

export function recordApp(
  { store }: Pick<Cc, 'store'>,
  tx: Tx,
  caller: Caller,
  type: string,
  app: Pick<App, 'guid' | 'name' | 'space_guid'>,
  data: Record<string, unknown> = {},
): void {
  const target = { guid: app.guid, type: 'app', name: app.name };
  audit(tx, store, caller, type, target, { space_guid: app.space_guid, data });
}

/** What is billed by: each process of the app that is there when it starts or stops. */
export function recordUsage(store: Store, tx: Tx, app: App, previous: App['state']): void {
  const space = store.space.get(app.space_guid);
  if (!space) return;
  for (const process of store.process.filter((one) => one.app_guid === app.guid && one.instances > 0)) {
    usage(tx, store, {
      state: { current: app.state, previous },
      app: { guid: app.guid, name: app.name },
      process: { guid: process.guid, type: process.type },
      space: { guid: space.guid, name: space.name },
      org_guid: space.org_guid,
      buildpack: { guid: null, name: store.droplet.get(app.droplet_guid ?? '')?.buildpacks[0]?.name ?? null },
      task: { guid: null, name: null },
      memory_in_mb_per_instance: { current: process.memory_in_mb, previous: process.memory_in_mb },
      instance_count: { current: process.instances, previous: process.instances },
    });
  }
}
