/** A manifest as `cf push` sends it, read into one form (CC `app_manifest_message.rb`). Pure. */
import { parse } from 'yaml';
import { z } from 'zod';
import { messageOf } from '../../../core/errors.js';
import { cfError, invalid } from '../errors.js';
import { describe } from '../describe.js';
import { metadataSchema, type MetadataPatch } from '../metadata.js';
import type { HealthCheck } from '../model.js';
import { variableFault } from '../resources/shapes.js';
import { bytesOf, megabytesOf } from './sizes.js';

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

const UNITS = 'must use a supported unit: B, K, KB, M, MB, G, GB, T, or TB';
const text = z.union([z.string(), z.number()]).transform(String);
const memory = (what: string) =>
  text.transform((value, context) => {
    const mb = megabytesOf(value);
    if (mb !== undefined && mb > 0) return mb;
    context.addIssue(mb === undefined ? `${what} ${UNITS}` : `${what} must be greater than 0MB`);
    return z.NEVER;
  });
const rate = text.transform((value, context) => {
  const bytes = value === '-1' || value === '0' ? Number(value) : bytesOf(value);
  if (bytes !== undefined) return bytes;
  context.addIssue(`Log rate limit per second ${UNITS}`);
  return z.NEVER;
});
const count = z.coerce.number().int().min(0);
const period = z.coerce.number().int().min(1);
const checkType = z.enum(['http', 'port', 'process', 'none']);

const processKeys = {
  command: z.string().nullable().optional(),
  instances: count.optional(),
  memory: memory('Memory').optional(),
  'disk-quota': memory('Disk quota').optional(),
  'log-rate-limit-per-second': rate.optional(),
  'health-check-type': checkType.optional(),
  'health-check-http-endpoint': z.string().optional(),
  'health-check-invocation-timeout': period.optional(),
  'health-check-interval': period.optional(),
  'readiness-health-check-type': z.enum(['http', 'port', 'process']).optional(),
  'readiness-health-check-http-endpoint': z.string().optional(),
  'readiness-health-check-invocation-timeout': period.optional(),
  'readiness-health-check-interval': period.optional(),
  timeout: period.optional(),
};
const processSchema = z.looseObject({ ...processKeys, type: z.string().min(1) });

const appSchema = z.looseObject({
  ...processKeys,
  name: z.string().min(1),
  lifecycle: z.enum(['buildpack', 'docker', 'cnb']).optional(),
  buildpack: z.string().nullable().optional(),
  buildpacks: z.array(z.string()).nullable().optional(),
  stack: z.string().optional(),
  docker: z.looseObject({ image: z.string().min(1), username: z.string().optional() }).optional(),
  env: z
    .record(z.string(), z.unknown())
    .nullable()
    .superRefine((env, context) => {
      for (const name of Object.keys(env ?? {})) {
        const fault = variableFault(name);
        if (fault !== undefined) context.addIssue(`Env ${fault.charAt(0).toLowerCase()}${fault.slice(1)}`);
      }
    })
    .optional(),
  routes: z
    .array(
      z.looseObject({
        route: z.string().min(1),
        protocol: z.enum(['http1', 'http2', 'tcp']).optional(),
        options: z.record(z.string(), z.unknown()).optional(),
      }),
    )
    .nullable()
    .optional(),
  'no-route': z.boolean().optional(),
  'random-route': z.boolean().optional(),
  'default-route': z.boolean().optional(),
  services: z
    .array(
      z.union([
        z.string().transform((name) => ({ name, binding_name: undefined })),
        z.looseObject({ name: z.string(), binding_name: z.string().optional() }),
      ]),
    )
    .nullable()
    .optional(),
  sidecars: z
    .array(
      z.looseObject({
        name: z.string().min(1),
        command: z.string().min(1),
        'process-types': z.array(z.string()).min(1),
        memory: memory('Memory').optional(),
      }),
    )
    .nullable()
    .optional(),
  processes: z.array(processSchema).optional(),
  metadata: metadataSchema.optional(),
  features: z.record(z.string(), z.boolean()).optional(),
});

/** The manifest's applications as they are written, with the keys of one spelling. Throws 400, 422. */
export function readManifest(body: unknown): Record<string, unknown>[] {
  if (typeof body !== 'string') throw cfError('BadRequest', 'Bad request: Content-Type must be yaml');
  let value: unknown;
  try {
    // Aliases are bounded, so that a small text does not become a large tree.
    value = parse(body, { maxAliasCount: 100 });
  } catch (err) {
    throw cfError('MessageParseError', messageOf(err));
  }
  const parsed = z.looseObject({ applications: z.array(z.looseObject({})).min(1) }).safeParse(value);
  if (!parsed.success) {
    throw invalid(
      isObject(value) && 'applications' in value
        ? 'Applications must be an array of applications'
        : 'No applications found in the manifest',
    );
  }
  return parsed.data.applications.map(hyphened);
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** `disk_quota` is `disk-quota`; names inside of `env`, `metadata` and the like are the user's. */
function hyphened(app: Record<string, unknown>): Record<string, unknown> {
  const keys = (one: Record<string, unknown>): Record<string, unknown> =>
    Object.fromEntries(Object.entries(one).map(([key, value]) => [key.replaceAll('_', '-'), value]));
  const each = (list: unknown): unknown =>
    Array.isArray(list) ? list.map((one: unknown) => (isObject(one) ? keys(one) : one)) : list;
  const whole = keys(app);
  return {
    ...whole,
    ...('processes' in whole ? { processes: each(whole['processes']) } : {}),
    ...('sidecars' in whole ? { sidecars: each(whole['sidecars']) } : {}),
  };
}

/** Throws 422 with one entry for each fault: `For application 'NAME': ...`. */
export function parseManifest(body: unknown): AppPart[] {
  const faults: string[] = [];
  const apps = readManifest(body).flatMap((raw, at) => {
    const parsed = appSchema.safeParse(raw);
    const name = typeof raw['name'] === 'string' ? raw['name'] : undefined;
    const whose = name === undefined ? `For application at index ${at}` : `For application '${name}'`;
    if (!parsed.success) {
      faults.push(...describe(parsed.error).map((fault) => `${whose}: ${fault}`));
      return [];
    }
    const part = partOf(parsed.data);
    faults.push(...faultsOf(part, parsed.data).map((fault) => `${whose}: ${fault}`));
    return [part];
  });
  if (faults.length > 0) throw invalid(...faults);
  return apps;
}

type Parsed = z.output<typeof appSchema>;
type ParsedProcess = z.output<z.ZodObject<typeof processKeys>>;

function partOf(app: Parsed): AppPart {
  const buildpacks =
    app.buildpacks ?? (app.buildpack === undefined ? undefined : named(app.buildpack) ? [app.buildpack ?? ''] : []);
  const lifecycle = app.docker ? 'docker' : app.lifecycle;
  return {
    name: app.name,
    ...(lifecycle === undefined ? {} : { lifecycle }),
    ...(buildpacks === undefined ? {} : { buildpacks: buildpacks.filter(named) }),
    ...(app.stack === undefined ? {} : { stack: app.stack }),
    ...(app.docker
      ? {
          docker: {
            image: app.docker.image,
            ...(app.docker.username === undefined ? {} : { username: app.docker.username }),
          },
        }
      : {}),
    processes: processesOf(app),
    ...(app.env
      ? { env: Object.fromEntries(Object.entries(app.env).map(([key, value]) => [key, envText(value)])) }
      : {}),
    ...(app.routes
      ? {
          routes: app.routes.map(({ route, protocol, options }) => ({
            route,
            ...(protocol && { protocol }),
            ...(options && { options }),
          })),
        }
      : {}),
    no_route: app['no-route'] ?? false,
    random_route: app['random-route'] ?? false,
    default_route: app['default-route'] ?? false,
    ...(app.services
      ? {
          services: app.services.map(({ name, binding_name }) => ({
            name,
            ...(binding_name === undefined ? {} : { binding_name }),
          })),
        }
      : {}),
    ...(app.sidecars
      ? {
          sidecars: app.sidecars.map((one) => ({
            ...{ name: one.name, command: one.command, process_types: one['process-types'] },
            memory_in_mb: one.memory ?? null,
          })),
        }
      : {}),
    ...(app.metadata ? { metadata: app.metadata } : {}),
    ...(app.features ? { features: app.features } : {}),
  };
}

/** `default` and `null` mean that the platform chooses. */
const named = (buildpack: string | null): boolean =>
  buildpack !== null && buildpack !== 'default' && buildpack !== 'null' && buildpack !== '';

/** Everything becomes a text, as in CC. */
function envText(value: unknown): string {
  if (value === null || value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** What stands at the top is the web process's, unless its own entry says otherwise. */
function processesOf(app: Parsed): ProcessPart[] {
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

function faultsOf(part: AppPart, app: Parsed): string[] {
  const faults: string[] = [];
  if (part.docker && part.buildpacks !== undefined)
    faults.push('Docker and buildpacks cannot both be configured for an app.');
  if (app.buildpack !== undefined && app.buildpacks !== undefined)
    faults.push('Buildpack and Buildpacks fields cannot be used together.');
  if (part.no_route && (part.random_route || (part.routes?.length ?? 0) > 0)) {
    faults.push('Cannot use the combination of properties: no-route, random-route, routes');
  }
  for (const { type, health_check } of part.processes) {
    if (health_check?.endpoint !== undefined && health_check.type !== undefined && health_check.type !== 'http') {
      faults.push(`Process "${type}": Health check type must be "http" to set a health check HTTP endpoint`);
    }
  }
  const types = (app.processes ?? []).map(({ type }) => type);
  const twice = types.find((type, at) => types.indexOf(type) !== at);
  if (twice !== undefined) faults.push(`Process "${twice}" may only be present once`);
  return faults;
}
