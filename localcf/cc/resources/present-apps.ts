/** Apps, processes, packages, builds and droplets as they are shown (CC `app/presenters/v3`). */
import type { Cc } from '../cc.js';
import type { App, Build, Droplet, HealthCheck, Lifecycle, Package, Process, Task } from '../model.js';
import { link, resource, toOne } from '../present.js';

const HIDDEN = '[PRIVATE DATA HIDDEN IN LISTS]';

export const presentLifecycle = (lifecycle: Lifecycle): object => lifecycle;

const withMethod = (cc: Cc, path: string, method: string): object => ({ ...link(cc, path), method });

export function presentApp(cc: Cc, app: App): object {
  const self = `/v3/apps/${app.guid}`;
  const action = (name: string): object => withMethod(cc, `${self}/actions/${name}`, 'POST');
  const base = resource(cc, app, self, {
    environment_variables: `${self}/environment_variables`,
    space: `/v3/spaces/${app.space_guid}`,
    processes: `${self}/processes`,
    packages: `${self}/packages`,
    current_droplet: `${self}/droplets/current`,
    droplets: `${self}/droplets`,
    tasks: `${self}/tasks`,
    revisions: `${self}/revisions`,
    deployed_revisions: `${self}/revisions/deployed`,
    features: `${self}/features`,
  }) as { links: object };
  return {
    ...base,
    name: app.name,
    state: app.state,
    lifecycle: presentLifecycle(app.lifecycle),
    relationships: { space: toOne(app.space_guid), current_droplet: toOne(app.droplet_guid) },
    metadata: app.metadata,
    links: {
      ...base.links,
      start: action('start'),
      stop: action('stop'),
      clear_buildpack_cache: action('clear_buildpack_cache'),
    },
  };
}

export function presentCheck(
  { type, endpoint, timeout, invocation_timeout, interval }: HealthCheck,
  readiness = false,
): object {
  if (type === 'process' || type === 'none') return { type, data: readiness ? {} : { timeout } };
  return {
    type,
    data: {
      ...(readiness ? {} : { timeout }),
      ...{ invocation_timeout, interval },
      ...(type === 'http' ? { endpoint: endpoint ?? '/' } : {}),
    },
  };
}

export interface ProcessView {
  /** In a list the command is not told. */
  inList?: boolean;
  instances?: object[] | undefined;
}

export function presentProcess(cc: Cc, process: Process, { inList = false, instances }: ProcessView = {}): object {
  const self = `/v3/processes/${process.guid}`;
  const app = `/v3/apps/${process.app_guid}`;
  const base = resource(cc, process, self, {
    app,
    space: `/v3/spaces/${cc.store.app.get(process.app_guid)?.space_guid ?? ''}`,
    stats: `${self}/stats`,
    process_instances: `${self}/process_instances`,
  }) as { links: object };
  const droplet = cc.store.droplet.get(cc.store.app.get(process.app_guid)?.droplet_guid ?? '');
  const command = process.command ?? droplet?.process_types[process.type] ?? null;
  return {
    ...base,
    type: process.type,
    command: inList && command !== null ? HIDDEN : command,
    user: process.user ?? 'vcap',
    instances: process.instances,
    memory_in_mb: process.memory_in_mb,
    disk_in_mb: process.disk_in_mb,
    log_rate_limit_in_bytes_per_second: process.log_rate_limit_in_bytes_per_second,
    health_check: presentCheck(process.health_check),
    readiness_health_check: presentCheck(process.readiness_health_check, true),
    version: process.version,
    relationships: {
      app: toOne(process.app_guid),
      revision: process.revision_guid === null ? null : toOne(process.revision_guid),
    },
    metadata: process.metadata,
    ...(instances ? { process_instances: instances } : {}),
    links: { ...base.links, scale: withMethod(cc, `${self}/actions/scale`, 'POST') },
  };
}

export function presentPackage(cc: Cc, row: Package): object {
  const self = `/v3/packages/${row.guid}`;
  const base = resource(cc, row, self, { app: `/v3/apps/${row.app_guid}` }) as { links: object };
  const data = row.docker
    ? {
        image: row.docker.image,
        username: row.docker.username,
        password: row.docker.password === null ? null : '***',
      }
    : { error: row.error, checksum: { type: 'sha256', value: row.sha256 } };
  return {
    ...base,
    type: row.type,
    data,
    state: row.state,
    relationships: { app: toOne(row.app_guid) },
    metadata: row.metadata,
    links:
      row.type === 'docker'
        ? base.links
        : {
            ...base.links,
            upload: withMethod(cc, `${self}/upload`, 'POST'),
            download: withMethod(cc, `${self}/download`, 'GET'),
          },
  };
}

export function presentBuild(cc: Cc, build: Build): object {
  const staged = build.state === 'STAGED' ? build.droplet_guid : null;
  return {
    ...resource(cc, build, `/v3/builds/${build.guid}`, {
      app: `/v3/apps/${build.app_guid}`,
      ...(staged === null ? {} : { droplet: `/v3/droplets/${staged}` }),
    }),
    created_by: build.created_by,
    state: build.state,
    error: build.error,
    staging_memory_in_mb: build.staging_memory_in_mb,
    staging_disk_in_mb: build.staging_disk_in_mb,
    staging_log_rate_limit_bytes_per_second: build.staging_log_rate_limit_bytes_per_second,
    lifecycle: presentLifecycle(build.lifecycle),
    package: { guid: build.package_guid },
    droplet: staged === null ? null : { guid: staged },
    relationships: { app: toOne(build.app_guid) },
    metadata: build.metadata,
  };
}

export function presentDroplet(cc: Cc, droplet: Droplet, inList = false): object {
  const self = `/v3/droplets/${droplet.guid}`;
  const app = `/v3/apps/${droplet.app_guid}`;
  const base = resource(cc, droplet, self, {
    ...{ app },
    ...(droplet.package_guid === null ? {} : { package: `/v3/packages/${droplet.package_guid}` }),
    ...(droplet.state === 'STAGED' ? { download: `${self}/download` } : {}),
  }) as { links: object };
  return {
    ...base,
    state: droplet.state,
    error: droplet.error,
    lifecycle: { type: droplet.lifecycle.type, data: {} },
    checksum: droplet.sha256 === null ? null : { type: 'sha256', value: droplet.sha256 },
    buildpacks: droplet.buildpacks,
    stack: droplet.stack,
    image: droplet.image,
    execution_metadata: inList ? HIDDEN : droplet.execution_metadata,
    process_types: inList ? { redacted_message: HIDDEN } : droplet.process_types,
    relationships: { app: toOne(droplet.app_guid) },
    metadata: droplet.metadata,
    links: {
      ...base.links,
      assign_current_droplet: withMethod(cc, `${app}/relationships/current_droplet`, 'PATCH'),
      ...(droplet.state === 'AWAITING_UPLOAD' ? { upload: withMethod(cc, `${self}/upload`, 'POST') } : {}),
    },
  };
}

export function presentTask(cc: Cc, task: Task, inList = false): object {
  const self = `/v3/tasks/${task.guid}`;
  const base = resource(cc, task, self, {
    app: `/v3/apps/${task.app_guid}`,
    droplet: `/v3/droplets/${task.droplet_guid}`,
  }) as { links: object };
  return {
    ...base,
    sequence_id: task.sequence_id,
    name: task.name,
    ...(inList ? {} : { command: task.command }),
    user: task.user ?? 'vcap',
    state: task.state,
    memory_in_mb: task.memory_in_mb,
    disk_in_mb: task.disk_in_mb,
    log_rate_limit_in_bytes_per_second: task.log_rate_limit_in_bytes_per_second,
    result: { failure_reason: task.failure_reason },
    droplet_guid: task.droplet_guid,
    metadata: task.metadata,
    relationships: { app: toOne(task.app_guid) },
    links: { ...base.links, cancel: withMethod(cc, `${self}/actions/cancel`, 'POST') },
  };
}
