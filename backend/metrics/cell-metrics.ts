/** What a cell counts of itself, as Prometheus text. Names and meanings stand in docs/operating.md too: a test compares. */
import { Counter, Gauge, Histogram, Registry, type MetricObjectWithValues, type MetricValue } from 'prom-client';
import type { Clock } from '../../core/clock.js';
import type { Containers, Room } from '../cell/containers.js';
import type { Container } from '../cell/model.js';
import type { IngressStats } from '../logs/ingress.js';
import type { EmitterStats } from '../routes/emitter.js';

export interface CellMetricsOptions {
  containers: Pick<Containers, 'list' | 'get' | 'subscribe' | 'room'>;
  clock: Clock;
  /** Undefined where there is no Loggregator agent. */
  logs: () => IngressStats | undefined;
  /** Undefined where Diego's route-emitter tells the routers. */
  routes: () => (EmitterStats & { connected: boolean; connects: number }) | undefined;
  /** Containers that the BBS is to be told something about. */
  pending: () => number;
  isEvacuating: () => boolean;
}

export interface CellMetrics {
  /** Prometheus text, and its content type. */
  text(): Promise<{ type: string; text: string }>;
  /** For who compares names: of each, what Prometheus knows of it. */
  describe(): Promise<MetricObjectWithValues<MetricValue<string>>[]>;
  close(): void;
}

const MB = 2 ** 20;
const STATES = ['reserved', 'initializing', 'created', 'running', 'completed'] as const;
/** Under KVM a machine is healthy within one second, without within ten. */
const BOOT_SECONDS = [0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120];

/** Counts from now on; a restart begins at 0, as Prometheus expects. */
export function createCellMetrics(options: CellMetricsOptions): CellMetrics {
  const { containers, clock, isEvacuating, pending } = options;
  const registry = new Registry();
  const registers = [registry];
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({ name: `unik_cell_${name}`, help, registers, collect: set(read) });
  };
  const counter = (name: string, help: string, read?: () => number): Counter =>
    new Counter({ name: `unik_cell_${name}`, help, registers, ...(read ? { collect: raise(read) } : {}) });

  gauge('evacuating', '1 while the cell is being emptied', () => Number(isEvacuating()));
  gauge('pending_containers', 'Containers that the BBS is still to be told of', pending);
  new Gauge({
    ...{ name: 'unik_cell_containers', help: 'Containers by state', labelNames: ['state'], registers },
    collect() {
      const all = containers.list();
      for (const state of STATES) this.set({ state }, all.filter((one) => one.state === state).length);
    },
  });
  const room = (name: string, help: string, read: (room: Room) => number): void => {
    new Gauge({
      ...{ name: `unik_cell_${name}`, help, labelNames: ['what'], registers },
      collect() {
        const { total, available } = containers.room();
        this.set({ what: 'total' }, read(total));
        this.set({ what: 'available' }, read(available));
      },
    });
  };
  room('memory_bytes', 'Memory for applications', ({ memory_mb }) => memory_mb * MB);
  room('disk_bytes', 'Disk for applications', ({ disk_mb }) => disk_mb * MB);
  room('container_slots', 'Containers that there may be', (all) => all.containers);

  const starts = counter('starts_total', 'Instances and tasks that came to running');
  const crashes = counter('crashes_total', 'Instances that ended without being asked to');
  const failures = counter('failed_tasks_total', 'Tasks that failed');
  const boots = new Histogram({
    ...{ name: 'unik_cell_boot_seconds', help: 'From the start of a machine until its checks passed', registers },
    buckets: BOOT_SECONDS,
  });

  const log = (read: (stats: IngressStats) => number) => () => {
    const stats = options.logs();
    return stats ? read(stats) : 0;
  };
  counter(
    'log_envelopes_sent_total',
    'Envelopes that the agent confirmed',
    log(({ sent }) => sent),
  );
  counter(
    'log_envelopes_dropped_total',
    'Envelopes thrown away before they were sent',
    log(({ dropped }) => dropped),
  );
  counter(
    'log_envelopes_unconfirmed_total',
    'Envelopes of broken calls: lost or not',
    log((all) => all.unconfirmed),
  );
  gauge(
    'log_queue_envelopes',
    'Envelopes that wait for the agent',
    log(({ queued }) => queued),
  );
  gauge(
    'log_queue_bytes',
    'Their size',
    log(({ queued_bytes }) => queued_bytes),
  );

  const route = (read: (stats: NonNullable<ReturnType<typeof options.routes>>) => number) => () => {
    const stats = options.routes();
    return stats ? read(stats) : 0;
  };
  gauge(
    'routes',
    'Entries that routers hold because of this cell',
    route(({ routes }) => routes),
  );
  counter(
    'route_registers_total',
    'Registrations sent',
    route(({ registers: sent }) => sent),
  );
  counter(
    'route_unregisters_total',
    'Goodbyes sent',
    route(({ unregisters }) => unregisters),
  );
  gauge(
    'nats_connected',
    '1 while NATS is reached',
    route(({ connected }) => Number(connected)),
  );
  counter(
    'nats_connects_total',
    'Connections made to NATS',
    route(({ connects }) => connects),
  );
  gauge('resident_bytes', 'Memory of the cell itself, without its machines', () => process.memoryUsage.rss());

  const seen = new Map<string, { state: Container['state']; since: number }>();
  const look = (guid: string, counts = true): void => {
    const container = containers.get(guid);
    const before = seen.get(guid);
    if (!container) {
      seen.delete(guid);
      return;
    }
    const { state, reservation, stopped, outcome } = container;
    if (before?.state === state) return;
    seen.set(guid, { state, since: clock.now() });
    if (!counts) return;
    if (state === 'running') starts.inc();
    if (state === 'running' && before?.state === 'created') boots.observe((clock.now() - before.since) / 1_000);
    if (state !== 'completed') return;
    if (reservation.kind === 'lrp' && !stopped) crashes.inc();
    if (reservation.kind === 'task' && outcome?.failed) failures.inc();
  };
  // Those that were there before us have been counted by the last process.
  for (const { reservation } of containers.list()) look(reservation.guid, false);
  const close = containers.subscribe((guid) => look(guid));
  return {
    text: async () => ({ type: registry.contentType, text: await registry.metrics() }),
    describe: () => registry.getMetricsAsJSON(),
    close,
  };
}

/** A gauge that is read when it is asked for. */
function set(read: () => number): (this: Gauge) => void {
  return function () {
    this.set(read());
  };
}

/** A counter whose value somebody else keeps. */
function raise(read: () => number): (this: Counter) => void {
  return function () {
    this.reset();
    this.inc(read());
  };
}
