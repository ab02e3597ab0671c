/** Actual LRPs and their metrics as the `stats` of a process (`instances_stats_reporter.rb`). Pure. */
import type { Envelope } from '../../../backend/wire/loggregator.js';
import type { ActualLRP } from '../../../protos/generated.js';
import type { Process } from '../model.js';
import { NOFILE } from '../recipes/facts.js';

export type InstanceState = 'RUNNING' | 'STARTING' | 'CRASHED' | 'DOWN' | 'STOPPING';

export interface StatsOptions {
  process: Process;
  /** The app is to run. */
  started: boolean;
  lrps: readonly ActualLRP[];
  /** Gauges of the app, newest first. */
  gauges: readonly Envelope[];
  isolation_segment: string | null;
  /** Epoch milliseconds. */
  now: number;
}

const NANOS_PER_MS = 1_000_000n;

/** One entry for every instance that is desired, by index. */
export function statsOf(options: StatsOptions): object[] {
  const { process, started, isolation_segment, now } = options;
  const newest = newestByIndex(options.lrps);
  return Array.from({ length: process.instances }, (_none, index) => {
    const lrp = newest.get(index);
    const state = lrp ? stateOf(lrp, started) : 'DOWN';
    const uptime =
      lrp && state !== 'DOWN' ? Math.max(0, Math.floor((now - Number(lrp.since / NANOS_PER_MS)) / 1_000)) : 0;
    const common = {
      type: process.type,
      index,
      state,
      isolation_segment,
      uptime,
      details: lrp ? detailsOf(lrp) : null,
    };
    if (!lrp || state === 'DOWN') return { ...common, routable: null };
    const { address = '', instance_address = '', ports = [] } = lrp.actual_lrp_net_info ?? {};
    return {
      ...common,
      instance_guid: lrp.actual_lrp_instance_key?.instance_guid ?? null,
      routable: state === 'RUNNING' ? (lrp.routable ?? null) : false,
      usage: usageOf(options.gauges, process, index, now),
      host: address,
      instance_internal_ip: instance_address,
      mem_quota: process.memory_in_mb * 2 ** 20,
      disk_quota: process.disk_in_mb * 2 ** 20,
      log_rate_limit: process.log_rate_limit_in_bytes_per_second,
      fds_quota: NOFILE,
      instance_ports: ports.map((port) => ({
        external: port.host_port,
        internal: port.container_port,
        external_tls_proxy_port: port.host_tls_proxy_port || null,
        internal_tls_proxy_port: port.container_tls_proxy_port || null,
      })),
    };
  });
}

/** `[{index, state, since}]` of `embed=process_instances`. */
export function instancesOf(process: Process, started: boolean, lrps: readonly ActualLRP[], now: number): object[] {
  const newest = newestByIndex(lrps);
  return Array.from({ length: process.instances }, (_none, index) => {
    const lrp = newest.get(index);
    const since = lrp ? Math.max(0, Math.floor((now - Number(lrp.since / NANOS_PER_MS)) / 1_000)) : 0;
    return { index, state: lrp ? stateOf(lrp, started) : 'DOWN', since };
  });
}

/** An evacuating instance and the one that follows it have the same index: the newer one counts. */
function newestByIndex(lrps: readonly ActualLRP[]): Map<number, ActualLRP> {
  const newest = new Map<number, ActualLRP>();
  for (const lrp of lrps) {
    const index = lrp.actual_lrp_key?.index ?? 0;
    const before = newest.get(index);
    if (!before || before.since < lrp.since) newest.set(index, lrp);
  }
  return newest;
}

export function stateOf(
  { state, placement_error }: Pick<ActualLRP, 'state' | 'placement_error'>,
  started: boolean,
): InstanceState {
  if (!started) return 'STOPPING';
  if (state === 'RUNNING' || state === 'CRASHED') return state;
  return state === 'UNCLAIMED' && placement_error !== '' ? 'DOWN' : 'STARTING';
}

/** The CLI prints it while an app starts. */
const detailsOf = ({ state, placement_error, crash_reason }: ActualLRP): string | null =>
  placement_error || (state === 'CRASHED' ? crash_reason : '') || null;

function usageOf(gauges: readonly Envelope[], process: Process, index: number, now: number): object {
  const mine = gauges.filter(
    ({ tags, instance_id }) =>
      instance_id === String(index) && (tags['process_id'] === undefined || tags['process_id'] === process.guid),
  );
  const read = (name: string): number | undefined =>
    mine.find((one) => one.gauge?.metrics[name] !== undefined)?.gauge?.metrics[name]?.value;
  const [cpu, mem, disk] = [read('cpu'), read('memory'), read('disk')];
  if (cpu === undefined || mem === undefined || disk === undefined) return {};
  const entitlement = read('cpu_entitlement');
  const whole = (value: number): number => Math.max(0, Math.round(value));
  return {
    time: new Date(Number((mine[0]?.timestamp ?? BigInt(now) * NANOS_PER_MS) / NANOS_PER_MS)).toISOString(),
    cpu: cpu / 100,
    cpu_entitlement: entitlement === undefined ? null : entitlement / 100,
    ...{ mem: whole(mem), disk: whole(disk), log_rate: whole(read('log_rate') ?? 0) },
  };
}
