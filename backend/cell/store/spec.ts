import type { Image } from '../../../executor/images/image.js';
import type {
  CheckSpec,
  HealthSpec,
  InstanceSpec,
  NetworkSpec,
  Owner,
  PortMapping,
  ProgramSpec,
  ProviderName,
  WatchSpec,
} from '../../../executor/model.js';
import { mapLeaves } from '../../convert/joined.js';
import type { Demand, HealthOrder, Launch, RunOrder } from '../model.js';
import { argvOf } from './command.js';

/** What every machine of this cell has in common. */
export interface CellTraits {
  owner: Owner;
  provider: ProviderName;
  /** Address of this host on which ports are published. */
  publish_address: string;
  network: Omit<NetworkSpec, 'egress'> & { deny: string[] };
}

/** Marks the executor's instances that are containers of the cell, by kind. */
export const CONTAINER_LABEL = 'unik.container';
/** Between SIGTERM and power-off: Diego's graceful shutdown interval. */
export const GRACE_MS = 10_000;
/** For those who ask for no limit, as Diego lets them. */
const UNLIMITED = { memory_mb: 256, disk_mb: 1024 };
const ROOT_UID = 0;
/** Of vcap, the guest's own. */
const APP_UID = 2000;
/** Between a monitor's looks: Diego's `unhealthy_monitoring_interval` is half a second, and a machine is slower. */
const MONITOR = { startup_ms: 1000, interval_ms: 30_000 };

/** What an auction's demand takes of this cell; 0 stands for no limit there and for a usual amount here. */
export function claimOf({ memory_mb, disk_mb }: Pick<Demand, 'memory_mb' | 'disk_mb'>): {
  memory_mb: number;
  disk_mb: number;
} {
  return { memory_mb: memory_mb || UNLIMITED.memory_mb, disk_mb: disk_mb || UNLIMITED.disk_mb };
}

/** The machine for an order. Pure. Throws command_needs_shell, command_missing. */
export function specOf(
  what: { guid: string; kind: 'lrp' | 'task'; demand: Demand; order: RunOrder; image: Image },
  cell: CellTraits,
): InstanceSpec {
  const { guid, kind, demand, order, image } = what;
  const { launch, limits } = order;
  const { env, ...argv } = argvOf(launch, image);
  const { mode, dns, deny } = cell.network;
  const programOf = (own: Launch): ProgramSpec => {
    const { argv: words = [], cwd, env: assigned } = argvOf(own, image);
    return {
      ...{ argv: words, ...(cwd === undefined ? {} : { cwd }), env: { ...Object.fromEntries(own.env), ...assigned } },
      ...(own.user === 'root' ? { uid: ROOT_UID } : own.user === launch.user ? {} : { uid: APP_UID }),
    };
  };
  return {
    ...{ key: guid, owner: cell.owner, name: order.name, provider: cell.provider, image: image.digest, ...argv },
    env: { ...Object.fromEntries(launch.env), ...env },
    files: order.files,
    ...(order.result_file === undefined ? {} : { result_file: order.result_file }),
    ...(launch.user === 'root' ? { uid: ROOT_UID } : {}),
    ...(limits.nofile ? { nofile: limits.nofile } : {}),
    ...(limits.max_pids ? { max_pids: limits.max_pids } : {}),
    ...(order.programs ? { program: mapLeaves(order.programs, programOf) } : {}),
    ...(order.monitor ? { monitor: { program: mapLeaves(order.monitor, programOf), ...MONITOR } } : {}),
    ...(order.lingers ? { lingers: true } : {}),
    hostname: guid,
    limits: { ...claimOf(demand), cpus: 1 },
    ports: portsOf(order, cell),
    network: { mode, dns, egress: { deny, rules: order.egress } },
    health: healthOf(order.health),
    grace_ms: GRACE_MS,
    log_id: guid,
    labels: { [CONTAINER_LABEL]: kind },
  };
}

/**
 * The ordered ports, and those that a check asks and nobody else: where machines have no address of their own a check
 * reaches them through a published port only.
 */
function portsOf({ ports, health }: RunOrder, { publish_address, network }: CellTraits): PortMapping[] {
  const mapping = (host_address: string) => (guest_port: number) =>
    ({ host_address, host_port: 0, guest_port, protocol: 'tcp' }) as const;
  const asked = checksOf(health).flatMap((check) => ('port' in check ? [check.port] : []));
  const unpublished = network.mode === 'tap' ? [] : [...new Set(asked)].filter((port) => !ports.includes(port));
  return [...[...new Set(ports)].map(mapping(publish_address)), ...unpublished.map(mapping('127.0.0.1'))];
}

function checksOf({ startup, liveness, readiness }: HealthOrder): CheckSpec[] {
  return [...startup, ...[...liveness, ...readiness].map(({ check }) => check)];
}

/** One failed look counts, as in Diego. Several checks of a kind are looked at together, as often as the most eager. */
function healthOf(order: HealthOrder): HealthSpec {
  const [startup = { kind: 'process' as const }, ...also] = order.startup;
  const liveness = watchOf(order.liveness);
  const readiness = watchOf(order.readiness);
  return {
    startup,
    ...(also.length > 0 ? { startup_also: also } : {}),
    start_timeout_ms: order.start_timeout_ms,
    startup_interval_ms: order.startup_interval_ms,
    ...(liveness ? { liveness } : {}),
    ...(readiness ? { readiness } : {}),
  };
}

function watchOf(checks: HealthOrder['liveness']): WatchSpec | undefined {
  const [first, ...others] = checks;
  if (!first) return undefined;
  return {
    check: first.check,
    ...(others.length > 0 ? { also: others.map(({ check }) => check) } : {}),
    interval_ms: Math.min(...checks.map(({ interval_ms }) => interval_ms)),
    failures: 1,
  };
}
