/** The rows that belong together, for the recipes. Reads only; undefined where something is gone. */
import type { App, Build, Process, SecurityGroup, Space, Stack, Task } from '../model.js';
import type {
  AppFacts,
  Bound,
  BuildpackChoice,
  Mapping,
  ProcessFacts,
  StagingFacts,
  TaskFacts,
} from '../recipes/facts.js';
import type { Store } from '../store.js';

export function mappingsOf(store: Store, app_guid: string): Mapping[] {
  return store.destination
    .filter((one) => one.app_guid === app_guid)
    .flatMap((destination) => {
      const route = store.route.get(destination.route_guid);
      const domain = route && store.domain.get(route.domain_guid);
      return route && domain ? [{ route, domain, destination }] : [];
    });
}

export function boundOf(store: Store, app_guid: string): Bound[] {
  return store.service_binding
    .filter((one) => one.app_guid === app_guid)
    .flatMap((binding) => {
      const instance = store.service_instance.get(binding.service_instance_guid);
      return instance ? [{ binding, instance }] : [];
    });
}

/** Also for what is shown of an app that has no droplet. */
export function appFacts(store: Store, app: App, use: 'running' | 'staging'): AppFacts | undefined {
  const space = store.space.get(app.space_guid);
  const org = space && store.org.get(space.org_guid);
  if (!space || !org) return undefined;
  const segment = store.isolation_segment.get(space.isolation_segment_guid ?? org.isolation_segment_guid ?? '');
  return {
    ...{ org, space, app },
    mappings: mappingsOf(store, app.guid),
    bound: boundOf(store, app.guid),
    security_groups: groupsOf(store, space, use),
    group: store.env_group.get(use)?.var ?? {},
    // The shared segment has no cells of its own: all that are in none are its.
    isolation_segment: segment === undefined || segment.name === 'shared' ? null : segment.name,
  };
}

export function processFacts(store: Store, process: Process): ProcessFacts | undefined {
  const app = store.app.get(process.app_guid);
  const facts = app && appFacts(store, app, 'running');
  // A process that a deployment replaces goes on with the droplet it was started with.
  const revision = store.revision.get(process.revision_guid ?? '');
  const droplet = store.droplet.get(revision?.droplet_guid ?? '') ?? store.droplet.get(app?.droplet_guid ?? '');
  if (!app || !facts || droplet?.state !== 'STAGED') return undefined;
  const sidecars = store.sidecar.filter((one) => one.app_guid === app.guid);
  return { ...facts, process, droplet, stack: stackOf(store, app), sidecars };
}

export function taskFacts(store: Store, task: Task): TaskFacts | undefined {
  const app = store.app.get(task.app_guid);
  const facts = app && appFacts(store, app, 'running');
  const droplet = store.droplet.get(task.droplet_guid);
  return facts && droplet ? { ...facts, task, droplet, stack: stackOf(store, app) } : undefined;
}

export function stagingFacts(store: Store, build: Build): StagingFacts | undefined {
  const app = store.app.get(build.app_guid);
  const facts = app && appFacts(store, app, 'staging');
  const row = store.package.get(build.package_guid);
  if (!facts || !row || build.lifecycle.type === 'docker') return undefined;
  const { stack: name, buildpacks } = build.lifecycle.data;
  const stack = store.stack.find((one) => one.name === name);
  if (!stack) return undefined;
  const cache = store.build_cache.find((one) => one.app_guid === app.guid && one.stack === stack.name);
  return { ...facts, build, package: row, stack, buildpacks: choiceOf(store, stack, buildpacks), cache };
}

function stackOf(store: Store, { lifecycle }: App): Stack | undefined {
  if (lifecycle.type === 'docker') return undefined;
  const { stack } = lifecycle.data;
  return store.stack.find(({ name }) => name === stack);
}

function groupsOf(store: Store, { guid }: Space, use: 'running' | 'staging'): SecurityGroup[] {
  return store.security_group.filter((one) =>
    use === 'running'
      ? one.globally_running || one.running_spaces.includes(guid)
      : one.globally_staging || one.staging_spaces.includes(guid),
  );
}

/**
 * The buildpacks of a build in their order: those named, else all that serve the stack. Of those with the same bits
 * only the first is tried: the others would say the same.
 */
export function choiceOf(store: Store, stack: Stack, named: readonly string[]): BuildpackChoice[] {
  const rows = store.buildpack
    .filter(
      ({ enabled, state, lifecycle, stack: of }) =>
        enabled && state === 'READY' && lifecycle === 'buildpack' && (of === null || of === stack.name),
    )
    .sort((a, b) => a.position - b.position);
  if (named.length > 0) {
    return named.map((name) => {
      // A row of the stack itself goes before one for every stack.
      const row = rows.find((one) => one.name === name && one.stack !== null) ?? rows.find((one) => one.name === name);
      return row ? { kind: 'admin', row, skip_detect: true } : { kind: 'custom', url: name };
    });
  }
  const seen = new Set<string>();
  return rows.flatMap((row): BuildpackChoice[] => {
    const bits = row.sha256 ?? row.guid;
    if (seen.has(bits)) return [];
    seen.add(bits);
    return [{ kind: 'admin', row, skip_detect: false }];
  });
}
