/** An app as the manifest that makes it (`cf create-app-manifest`), and the keys that a diff is made against. Pure. */
import type { HealthCheck, Process } from '../model.js';
import type { Bound, Mapping } from '../recipes/facts.js';
import type { App, Sidecar } from '../model.js';
import { uriOf } from '../recipes/environment.js';
import { rateText } from './sizes.js';

export interface ShownApp {
  app: App;
  processes: readonly Process[];
  mappings: readonly Mapping[];
  bound: readonly Bound[];
  sidecars: readonly Sidecar[];
}

export function appManifest({ app, processes, mappings, bound, sidecars }: ShownApp): Record<string, unknown> {
  const { lifecycle, environment, metadata, features } = app;
  return {
    name: app.name,
    lifecycle: lifecycle.type,
    ...(lifecycle.type === 'docker' ? {} : { stack: lifecycle.data.stack }),
    ...(lifecycle.type !== 'docker' && lifecycle.data.buildpacks.length > 0
      ? { buildpacks: lifecycle.data.buildpacks }
      : {}),
    ...(Object.keys(environment).length > 0 ? { env: environment } : {}),
    ...(mappings.length > 0
      ? {
          routes: [...new Map(mappings.map((one) => [uriOf(one), one]))].map(
            ([route, { destination, route: row }]) => ({
              route,
              protocol: destination.protocol,
              ...(Object.keys(row.options).length > 0 ? { options: row.options } : {}),
            }),
          ),
        }
      : {}),
    ...(bound.length > 0
      ? {
          services: bound.map(({ binding, instance }) =>
            binding.name === null ? instance.name : { name: instance.name, binding_name: binding.name },
          ),
        }
      : {}),
    ...(Object.keys(metadata.labels).length + Object.keys(metadata.annotations).length > 0
      ? { metadata: withoutEmpty(metadata) }
      : {}),
    features,
    processes: [...processes].sort((a, b) => (a.type < b.type ? -1 : 1)).map(processManifest),
    ...(sidecars.length > 0
      ? {
          sidecars: sidecars.map(({ name, command, process_types, memory_in_mb }) => ({
            ...{ name, command, process_types },
            ...(memory_in_mb === null ? {} : { memory: `${memory_in_mb}M` }),
          })),
        }
      : {}),
  };
}

const withoutEmpty = (value: object): object =>
  Object.fromEntries(Object.entries(value).filter(([, one]) => Object.keys(one as object).length > 0));

export function processManifest(process: Process): Record<string, unknown> {
  return {
    type: process.type,
    ...(process.command === null ? {} : { command: process.command }),
    instances: process.instances,
    memory: `${process.memory_in_mb}M`,
    disk_quota: `${process.disk_in_mb}M`,
    'log-rate-limit-per-second': rateText(process.log_rate_limit_in_bytes_per_second),
    ...checkKeys(process.health_check, 'health-check'),
    ...(process.health_check.timeout === null ? {} : { timeout: process.health_check.timeout }),
    ...checkKeys(process.readiness_health_check, 'readiness-health-check'),
  };
}

function checkKeys(
  { type, endpoint, invocation_timeout, interval }: HealthCheck,
  prefix: string,
): Record<string, unknown> {
  return {
    [`${prefix}-type`]: type,
    ...(type === 'http' && endpoint !== null ? { [`${prefix}-http-endpoint`]: endpoint } : {}),
    ...(invocation_timeout === null ? {} : { [`${prefix}-invocation-timeout`]: invocation_timeout }),
    ...(interval === null ? {} : { [`${prefix}-interval`]: interval }),
  };
}
