import type { EnvironmentVariable } from '../../protos/generated.js';
import type { NetInfo, RunOrder } from '../cell/model.js';
import type { ConvertContext } from './context.js';

/** In order; later ones win. */
export type Env = [name: string, value: string][];

const APP_DIR = '/home/vcap/app';
const CREDENTIALS_DIR = '/etc/cf-instance-credentials';

/**
 * What every process of a container gets (rep `conversion_helpers.go`, executor `storenode.go`). Tasks have no
 * instance, so they are told of none.
 */
export function containerEnv(
  definition: { environment_variables: readonly EnvironmentVariable[]; trusted_system_certificates_path: string },
  instance: { guid: string; index: number } | undefined,
  { system_certs, instance_identity }: Pick<ConvertContext, 'system_certs' | 'instance_identity'>,
): Env {
  const { environment_variables, trusted_system_certificates_path: certs } = definition;
  const index = String(instance?.index);
  const identity: Env = instance
    ? [
        ['INSTANCE_GUID', instance.guid],
        ['INSTANCE_INDEX', index],
        ['CF_INSTANCE_GUID', instance.guid],
        ['CF_INSTANCE_INDEX', index],
      ]
    : [];
  const trusted: Env = system_certs && certs !== '' ? [['CF_SYSTEM_CERT_PATH', certs]] : [];
  const credentials: Env = instance_identity
    ? [
        ['CF_INSTANCE_CERT', `${CREDENTIALS_DIR}/instance.crt`],
        ['CF_INSTANCE_KEY', `${CREDENTIALS_DIR}/instance.key`],
      ]
    : [];
  const own = environment_variables.map(({ name, value }): Env[number] => [name, value]);
  return [...identity, ...own, ...trusted, ...credentials];
}

/**
 * The whole environment of a program whose place is known: that of its order, then addresses and ports (executor
 * `run_step.go`). Ports are those of `net`, in its order.
 */
export function instanceEnv({ launch }: Pick<RunOrder, 'launch'>, net: NetInfo): Record<string, string> {
  return Object.fromEntries([...launch.env, ...placeEnv(net)]);
}

/** Where a program is: addresses and ports. */
export function placeEnv({ address, instance_address, ports }: NetInfo): Env {
  const [first] = ports;
  const place: Env = [
    ['CF_INSTANCE_IP', address],
    ['CF_INSTANCE_INTERNAL_IP', instance_address],
  ];
  if (!first) place.push(['CF_INSTANCE_PORT', ''], ['CF_INSTANCE_ADDR', '']);
  else if (first.host_port > 0) {
    place.push(['CF_INSTANCE_PORT', String(first.host_port)]);
    place.push(['CF_INSTANCE_ADDR', `${address}:${first.host_port}`]);
  }
  const table = ports.map(({ host_port, container_port }) => ({
    ...(host_port === 0 ? {} : { external: host_port }),
    internal: container_port,
  }));
  return [...place, ['CF_INSTANCE_PORTS', JSON.stringify(table)]];
}

/** What Cloud Foundry's launcher adds (buildpackapplifecycle `env/env.go`): a unikernel has none, so we do. */
export function launcherEnv(env: Env): Env {
  const given = new Map(env);
  const parent = APP_DIR.slice(0, APP_DIR.lastIndexOf('/'));
  const added: Env = [
    ['HOME', APP_DIR],
    ['TMPDIR', `${parent}/tmp`],
    ['DEPS_DIR', `${parent}/deps`],
  ];
  const application = asObject(given.get('VCAP_APPLICATION'));
  if (application) added.push(['VCAP_APPLICATION', JSON.stringify({ ...application, ...whereabouts(given) })]);
  const database = given.has('DATABASE_URL') ? undefined : databaseUrl(given.get('VCAP_SERVICES'));
  if (database !== undefined) added.push(['DATABASE_URL', database]);
  return added;
}

function whereabouts(env: ReadonlyMap<string, string>): Record<string, unknown> {
  const whole = (name: string): number | undefined =>
    /^[+-]?\d+$/.test(env.get(name) ?? '') ? Number(env.get(name)) : undefined;
  const [port, index] = [whole('PORT'), whole('INSTANCE_INDEX')];
  return {
    host: '0.0.0.0',
    instance_id: env.get('INSTANCE_GUID') ?? '',
    ...(port === undefined ? {} : { port }),
    ...(index === undefined ? {} : { instance_index: index }),
  };
}

/** Schemes that are a database's, and what they are called in DATABASE_URL (buildpackapplifecycle `databaseuri`). */
const DATABASES = new Map([
  ['mysql', 'mysql2'],
  ['mysql2', 'mysql2'],
  ['postgres', 'postgres'],
  ['postgresql', 'postgres'],
]);

function databaseUrl(services: string | undefined): string | undefined {
  for (const service of Object.values(asObject(services) ?? {}).flat()) {
    const uri = asObject(asObject(service)?.['credentials'])?.['uri'];
    const [, scheme = '', rest = ''] = typeof uri === 'string' ? (/^([A-Za-z0-9+.-]+):(.*)$/s.exec(uri) ?? []) : [];
    const name = DATABASES.get(scheme.toLowerCase());
    if (name !== undefined) return `${name}:${rest}`;
  }
  return undefined;
}

/** An object, or the JSON text of one. */
function asObject(value: unknown): Record<string, unknown> | undefined {
  let found = value;
  if (typeof value === 'string') {
    try {
      found = JSON.parse(value) as unknown;
    } catch {
      // Not JSON: the application gets it as it is, as from the launcher.
      return undefined;
    }
  }
  return typeof found === 'object' && found !== null && !Array.isArray(found)
    ? (found as Record<string, unknown>)
    : undefined;
}
