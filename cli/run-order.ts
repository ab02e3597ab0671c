/** Pure but for reading env files: the flags of `unik run` become the API's order. */
import type { HealthRequest, InstanceRequest } from '../backend/api/schema/instances.js';
import {
  parseDuration,
  parseEnv,
  parseEnvFile,
  parseLabels,
  parseMegabytes,
  parsePort,
  parseRestart,
  parseWhole,
  usage,
} from './parse.js';

/** What commander gives. */
export interface RunFlags {
  name?: string;
  instanceName?: string;
  imageName?: string;
  publish?: string[];
  publishAll?: boolean;
  env?: string[];
  envFile?: string[];
  memory?: string;
  instanceMemory?: string;
  cpus?: string;
  disk?: string;
  healthType?: string;
  healthPath?: string;
  healthPort?: string;
  healthInterval?: string;
  healthTimeout?: string;
  healthStartPeriod?: string;
  healthRetries?: string;
  /** commander's `--no-healthcheck`. */
  healthcheck?: boolean;
  rm?: boolean;
  restart?: string;
  network?: string;
  dns?: string[];
  provider?: string;
  kernel?: string;
  stopTimeout?: string;
  hostname?: string;
  process?: string;
  workdir?: string;
  label?: string[];
}

export interface OrderWorld {
  env: Readonly<Record<string, string | undefined>>;
  readFile: (path: string) => Promise<string>;
}

/** Throws `usage` for anything that cannot be read; what values are possible is the daemon's to say. */
export async function orderFrom(
  image: string,
  command: readonly string[],
  flags: RunFlags,
  world: OrderWorld,
): Promise<InstanceRequest> {
  const name = flags.name ?? flags.instanceName;
  const memory = flags.memory ?? flags.instanceMemory;
  if (flags.rm === true && flags.restart !== undefined && flags.restart !== 'no') {
    throw usage('--rm and --restart exclude each other');
  }
  return {
    image,
    ...(name !== undefined ? { name } : {}),
    ...(command.length > 0 ? { command: [...command] } : {}),
    ...(flags.process !== undefined ? { process: flags.process } : {}),
    ...(flags.workdir !== undefined ? { cwd: flags.workdir } : {}),
    env: await environment(flags, world),
    ...(memory !== undefined ? { memory_mb: parseMegabytes(memory, '-m') } : {}),
    ...(flags.disk !== undefined ? { disk_mb: parseMegabytes(flags.disk, '--disk') } : {}),
    ...(flags.cpus !== undefined ? { cpus: parseWhole(flags.cpus, '--cpus', 1) } : {}),
    ports: (flags.publish ?? []).map(parsePort),
    publish_all: flags.publishAll ?? false,
    ...(flags.network !== undefined ? { network: flags.network as NonNullable<InstanceRequest['network']> } : {}),
    dns: flags.dns ?? [],
    health: healthFrom(flags),
    ...(flags.restart !== undefined ? { restart: parseRestart(flags.restart) } : {}),
    auto_remove: flags.rm ?? false,
    ...(flags.hostname !== undefined ? { hostname: flags.hostname } : {}),
    ...(flags.provider !== undefined ? { provider: flags.provider as NonNullable<InstanceRequest['provider']> } : {}),
    ...(flags.kernel !== undefined ? { kernel: flags.kernel } : {}),
    ...(flags.stopTimeout !== undefined ? { stop_timeout_ms: parseDuration(flags.stopTimeout, '--stop-timeout') } : {}),
    labels: parseLabels(flags.label ?? []),
  };
}

/** Files first, in order; then `-e`, which wins. */
async function environment(flags: RunFlags, world: OrderWorld): Promise<Record<string, string>> {
  const env: Record<string, string> = {};
  for (const file of flags.envFile ?? []) Object.assign(env, parseEnvFile(await world.readFile(file), file, world.env));
  return Object.assign(env, parseEnv(flags.env ?? [], world.env));
}

function healthFrom(flags: RunFlags): HealthRequest {
  const type = flags.healthType;
  if (type !== undefined && type !== 'port' && type !== 'http' && type !== 'process') {
    throw usage(`--health-type ${type}: expected port, http or process`);
  }
  if (flags.healthcheck === false) return { type: 'process' };
  const ms = (text: string | undefined, flag: string): number | undefined =>
    text === undefined ? undefined : parseDuration(text, flag);
  return {
    type,
    path: flags.healthPath,
    port: flags.healthPort === undefined ? undefined : parseWhole(flags.healthPort, '--health-port', 1),
    interval_ms: ms(flags.healthInterval, '--health-interval'),
    timeout_ms: ms(flags.healthTimeout, '--health-timeout'),
    start_period_ms: ms(flags.healthStartPeriod, '--health-start-period'),
    retries: flags.healthRetries === undefined ? undefined : parseWhole(flags.healthRetries, '--health-retries', 1),
  };
}
