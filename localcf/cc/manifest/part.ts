/** An application of a manifest in one form, whichever way it was written. Pure. */
import type { MetadataPatch } from '../metadata.js';
import type { HealthCheck } from '../model.js';
import type { ParsedApp, ParsedProcess } from './schema.js';

/** What a manifest says of a process; what it does not say is absent. */
export interface ProcessPart {
  type: string;
  command?: string | null;
  instances?: number;
  memory_in_mb?: number;
  disk_in_mb?: number;
  log_rate_limit_in_bytes_per_second?: number;
  health_check?: Partial<HealthCheck>;
  readiness_health_check?: Partial<HealthCheck>;
}

export interface RoutePart {
  route: string;
  protocol?: 'http1' | 'http2' | 'tcp';
  options?: Record<string, unknown>;
}

export interface AppPart {
  name: string;
  lifecycle?: 'buildpack' | 'docker' | 'cnb';
  buildpacks?: string[];
  stack?: string;
  docker?: { image: string; username?: string };
  processes: ProcessPart[];
  env?: Record<string, string>;
  routes?: RoutePart[];
  no_route: boolean;
  random_route: boolean;
  default_route: boolean;
  services?: { name: string; binding_name?: string }[];
  sidecars?: { name: string; command: string; process_types: string[]; memory_in_mb: number | null }[];
  metadata?: MetadataPatch;
  features?: Record<string, boolean>;
}

export function partOf(app: ParsedApp): AppPart {
  const buildpacks =
    app.buildpacks ?? (app.buildpack === undefined ? undefined : named(app.buildpack) ? [app.buildpack ?? ''] : []);
  return {
    name: app.name,
    processes: processesOf(app),
    no_route: app['no-route'] ?? false,
    random_route: app['random-route'] ?? false,
    default_route: app['default-route'] ?? false,
    ...defined({
      lifecycle: app.docker ? ('docker' as const) : app.lifecycle,
      buildpacks: buildpacks?.filter(named),
      stack: app.stack,
      docker: app.docker && { image: app.docker.image, ...defined({ username: app.docker.username }) },
      env: app.env ? envOf(app.env) : undefined,
      routes: app.routes?.map(({ route, protocol, options }) => ({ route, ...defined({ protocol, options }) })),
      services: app.services?.map(({ name, binding_name }) => ({ name, ...defined({ binding_name }) })),
      sidecars: app.sidecars?.map(({ name, command, 'process-types': process_types, memory }) => ({
        ...{ name, command, process_types },
        memory_in_mb: memory ?? null,
      })),
      metadata: app.metadata,
      features: app.features,
    }),
  };
}

/** `default` and `null` mean that the platform chooses. */
const named = (buildpack: string | null): boolean =>
  buildpack !== null && buildpack !== 'default' && buildpack !== 'null' && buildpack !== '';

const envOf = (env: Record<string, unknown>): Record<string, string> =>
  Object.fromEntries(Object.entries(env).map(([name, value]) => [name, envText(value)]));

/** Everything becomes a text, as in CC. */
function envText(value: unknown): string {
  if (value === null || value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** What stands at the top is the web process's, unless its own entry says otherwise. */
function processesOf(app: ParsedApp): ProcessPart[] {
  const entries = app.processes ?? [];
  const top = processPart(app);
  const web = entries.find(({ type }) => type === 'web');
  const merged = { ...top, ...(web ? processPart(web) : {}), type: 'web' };
  return [
    ...(Object.keys(merged).length > 1 || web ? [merged] : []),
    ...entries.filter(({ type }) => type !== 'web').map((one) => ({ ...processPart(one), type: one.type })),
  ];
}

function processPart(one: ParsedProcess): Omit<ProcessPart, 'type'> {
  const check = defined({
    type: one['health-check-type'] === 'none' ? 'process' : one['health-check-type'],
    endpoint: one['health-check-http-endpoint'],
    invocation_timeout: one['health-check-invocation-timeout'],
    interval: one['health-check-interval'],
    timeout: one.timeout,
  });
  const readiness = defined({
    type: one['readiness-health-check-type'],
    endpoint: one['readiness-health-check-http-endpoint'],
    invocation_timeout: one['readiness-health-check-invocation-timeout'],
    interval: one['readiness-health-check-interval'],
  });
  return {
    ...defined({
      command: one.command === 'null' || one.command === 'default' ? null : one.command,
      instances: one.instances,
      memory_in_mb: one.memory,
      disk_in_mb: one['disk-quota'],
      log_rate_limit_in_bytes_per_second: one['log-rate-limit-per-second'],
    }),
    ...(Object.keys(check).length > 0 ? { health_check: check } : {}),
    ...(Object.keys(readiness).length > 0 ? { readiness_health_check: readiness } : {}),
  };
}

/** What is there of it. */
function defined<T extends object>(all: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
