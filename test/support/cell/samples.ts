/** Containers and orders for tests; any field may be given. */
import type { Container, Demand, Reservation, RunOrder } from '../../../backend/cell/model.js';

export function aDemand(change: Partial<Demand> = {}): Demand {
  const resources = { memory_mb: 128, disk_mb: 256, max_pids: 1024 };
  return { ...resources, rootfs: 'preloaded:unik', placement_tags: [], volume_drivers: [], ...change };
}

export function anLrp(guid = 'inst-1', index = 0, demand: Partial<Demand> = {}): Reservation {
  const lrp = { process_guid: 'proc-1', index, domain: 'cf-apps' };
  return { kind: 'lrp', guid, demand: aDemand(demand), trace: '', lrp };
}

export function aTask(guid = 'task-1', demand: Partial<Demand> = {}): Reservation {
  return { kind: 'task', guid, demand: aDemand(demand), trace: '', domain: 'cf-tasks' };
}

export function aContainer(change: Partial<Container> = {}): Container {
  return { reservation: anLrp(), state: 'reserved', stopped: false, routable: false, reserved_at: 0, ...change };
}

export function anOrder(change: Partial<RunOrder> = {}): RunOrder {
  const launch = { command: { kind: 'start_command' as const, text: './app' }, process_type: 'web', user: 'vcap' };
  const health = { startup: [], start_timeout_ms: 0, startup_interval_ms: 0, liveness: [], readiness: [] };
  return {
    name: 'proc-1/0',
    stack: 'unik',
    downloads: [],
    launch: { ...launch, env: [], log_source: 'APP/PROC/WEB', suppress_output: false },
    ports: [8080],
    health: { ...health, log_source: 'HEALTH' },
    egress: [],
    limits: { memory_mb: 128, disk_mb: 256, cpu_weight: 1 },
    logs: { guid: 'log-1', index: 0, source: 'CELL', tags: {}, bytes_per_second: -1 },
    metrics: { guid: 'metrics-1', index: 0, tags: {} },
    files: {},
    organizational_unit: [],
    internal_routes: ['a.apps.internal'],
    metric_tags: { source_id: 'log-1' },
    ...change,
  };
}
