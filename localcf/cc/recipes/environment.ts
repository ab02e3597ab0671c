/** What an application is told by its environment (`lib/vcap/vars_builder.rb`, `system_env_presenter.rb`). Pure. */
import {
  NOFILE,
  type AppFacts,
  type Bound,
  type Mapping,
  type ProcessFacts,
  type StagingFacts,
  type TaskFacts,
} from './facts.js';

type Env = Record<string, string>;

interface VcapOptions {
  api_url: string;
  memory_in_mb?: number | undefined;
  disk_in_mb?: number | undefined;
  version?: string | undefined;
  process?: { guid: string; type: string } | undefined;
}

/** `host.domain/path`, `domain:port`. */
export function uriOf({ route, domain }: Pick<Mapping, 'route' | 'domain'>): string {
  if (route.port !== null) return `${domain.name}:${route.port}`;
  return `${route.host === '' ? '' : `${route.host}.`}${domain.name}${route.path}`;
}

export function vcapApplication(
  { app, space, org, mappings }: AppFacts,
  options: VcapOptions,
): Record<string, unknown> {
  const { api_url, memory_in_mb, disk_in_mb, version, process } = options;
  const uris = [...new Set(mappings.map(uriOf))];
  return {
    cf_api: api_url,
    limits: {
      fds: NOFILE,
      ...(memory_in_mb === undefined ? {} : { mem: memory_in_mb }),
      ...(disk_in_mb === undefined ? {} : { disk: disk_in_mb }),
    },
    application_name: app.name,
    application_uris: uris,
    name: app.name,
    space_name: space.name,
    space_id: space.guid,
    organization_id: org.guid,
    organization_name: org.name,
    uris,
    users: null,
    ...(process ? { process_id: process.guid, process_type: process.type } : {}),
    application_id: app.guid,
    ...(version === undefined ? {} : { version, application_version: version }),
  };
}

export function vcapServices(bound: readonly Bound[]): Record<string, unknown> {
  if (bound.length === 0) return {};
  return {
    'user-provided': bound.map(({ binding, instance }) => ({
      label: 'user-provided',
      name: binding.name ?? instance.name,
      tags: instance.tags,
      instance_guid: instance.guid,
      instance_name: instance.name,
      binding_guid: binding.guid,
      binding_name: binding.name,
      credentials: binding.credentials,
      syslog_drain_url: binding.syslog_drain_url,
      volume_mounts: [],
    })),
  };
}

/** The first bound database that has a URI. */
export function databaseUrl(bound: readonly Bound[]): string | undefined {
  for (const { binding } of bound) {
    const uri: unknown = binding.credentials['uri'];
    if (typeof uri !== 'string') continue;
    const [, scheme, rest] = /^(mysql2?|postgres(?:ql)?|db2|informix):\/\/(.*)$/s.exec(uri) ?? [];
    if (scheme === undefined || rest === undefined) continue;
    if (scheme.startsWith('mysql')) return `mysql2://${rest}`;
    if (scheme.startsWith('postgres')) return `postgres://${rest}`;
    return uri;
  }
  return undefined;
}

/** Of the launcher of a process, later names win; PORT and the like are the caller's. */
export function runningEnv(facts: ProcessFacts, api_url: string): Env {
  const { process, app, group, bound } = facts;
  return withPlatform({ ...group, ...app.environment }, facts, bound, {
    api_url,
    ...{ memory_in_mb: process.memory_in_mb, disk_in_mb: process.disk_in_mb },
    ...{ version: process.version, process: { guid: process.guid, type: process.type } },
  });
}

export function taskEnv(facts: TaskFacts, api_url: string): Env {
  const { task, app, group, bound } = facts;
  const sizes = { memory_in_mb: task.memory_in_mb, disk_in_mb: task.disk_in_mb };
  return withPlatform({ ...group, ...app.environment }, facts, bound, { api_url, ...sizes });
}

export function stagingEnv(facts: StagingFacts, api_url: string): Env {
  const { build, app, group, bound, stack } = facts;
  const env = { ...group, ...app.environment, CF_STACK: stack.name };
  const sizes = { memory_in_mb: build.staging_memory_in_mb, disk_in_mb: build.staging_disk_in_mb };
  return withPlatform(env, facts, bound, { api_url, ...sizes });
}

function withPlatform(env: Env, facts: AppFacts, bound: readonly Bound[], options: VcapOptions): Env {
  const database = databaseUrl(bound);
  return {
    ...env,
    VCAP_APPLICATION: JSON.stringify(vcapApplication(facts, options)),
    MEMORY_LIMIT: `${options.memory_in_mb ?? 0}m`,
    VCAP_SERVICES: JSON.stringify(vcapServices(bound)),
    ...(database === undefined ? {} : { DATABASE_URL: database }),
  };
}
