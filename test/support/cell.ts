import { join } from 'node:path';
import { CellContainers, type ContainersDeps } from '../../backend/cell/store/cell-containers.js';
import type { Containers } from '../../backend/cell/containers.js';
import type { Container, Reservation, RunOrder } from '../../backend/cell/model.js';
import type { Sink } from '../../backend/logs/sink.js';
import { systemClock } from '../../core/clock.js';
import { noLog } from '../../core/log.js';
import type { ExecutorDeps } from '../../executor/runner.js';
import { plainWords } from './cell-words.js';
import { anImage, Bench, OWNER } from './executor.js';

export function aReservation(guid: string, over: Partial<Reservation['demand']> = {}): Reservation {
  const demand = { memory_mb: 64, disk_mb: 10, max_pids: 0, rootfs: 'preloaded:unik', placement_tags: [] };
  return {
    ...{ guid, kind: 'lrp', lrp: { process_guid: 'app', index: 0, domain: 'tests' }, trace: '' },
    demand: { ...demand, volume_drivers: [], ...over },
  };
}

export function anOrder(over: Partial<RunOrder> = {}, env: Record<string, string> = {}): RunOrder {
  return {
    ...{ name: 'app/0', stack: 'unik', downloads: [], ports: [8080], egress: [], files: {} },
    launch: {
      ...{ command: { kind: 'start_command', text: '' }, process_type: 'web', user: 'vcap' },
      ...{ env: Object.entries(env), log_source: 'APP/PROC/WEB', suppress_output: false },
    },
    health: {
      startup: [{ kind: 'port', port: 8080, timeout_ms: 200 }],
      ...{ start_timeout_ms: 0, startup_interval_ms: 10, liveness: [], readiness: [], log_source: 'HEALTH' },
    },
    limits: { memory_mb: 64, disk_mb: 10, cpu_weight: 1 },
    logs: { guid: 'log', index: 0, source: 'CELL', tags: {}, bytes_per_second: -1 },
    metrics: { guid: 'log', index: 0, tags: {} },
    ...{ organizational_unit: [], internal_routes: [], metric_tags: {} },
    ...over,
  };
}

/** What was said, as `SOURCE stream text`. */
export class Heard implements Sink {
  readonly lines: string[] = [];

  log(_config: unknown, { source, stream, text }: { source: string; stream: string; text: string }): void {
    this.lines.push(`${source} ${stream} ${text}`);
  }

  metrics(): void {
    throw new Error('nobody asked for metrics');
  }
}

/** Containers over fake machines, which can be restarted as after a crash. */
export class CellBench {
  containers!: CellContainers;
  bench!: Bench;
  readonly heard = new Heard();
  /** Guids that were told to have changed. */
  readonly hints: string[] = [];

  private constructor(private readonly over: Partial<ContainersDeps>) {}

  static async open(over: Partial<ContainersDeps> = {}, executor: Partial<ExecutorDeps> = {}): Promise<CellBench> {
    const cell = new CellBench(over);
    cell.bench = await Bench.open({
      lateEnv: (spec, where) => cell.containers.lateEnv(spec, where),
      ...executor,
    });
    await cell.#begin();
    return cell;
  }

  get home(): string {
    return this.bench.home;
  }

  /** As after `kill -9`, but for what an orderly end writes: machines stay. */
  async restart(): Promise<void> {
    await this.containers.close();
    await this.bench.executor.close();
    await this.bench.restart(false);
    await this.#begin();
  }

  async #begin(): Promise<void> {
    this.containers = new CellContainers({
      ...{ owner: OWNER, provider: 'fake', home: join(this.home, 'cell') },
      ...{ executor: this.bench.executor, sink: this.heard, clock: systemClock, log: noLog, words: plainWords },
      ...{ address: '10.0.0.1', publish_address: '127.0.0.1', overheadMb: () => 72 },
      images: { imageFor: async () => anImage() },
      network: async () => ({ mode: 'isolated', dns: [], deny: [] }),
      ...this.over,
    });
    this.containers.subscribe((guid) => this.hints.push(guid));
    await this.containers.recover();
  }

  /** Reserves and runs. */
  start(guid: string, order = anOrder(), reservation = aReservation(guid)): void {
    this.containers.reserve(reservation);
    this.containers.run(guid, order);
  }

  /** Resolves as soon as the container is so; undefined stands for one that is gone. */
  until(guid: string, test: (container: Container | undefined) => boolean): Promise<Container | undefined> {
    return untilContainer(this.containers, guid, test);
  }

  async close(): Promise<void> {
    await Promise.all(this.containers.list().map(({ reservation }) => this.containers.delete(reservation.guid)));
    await this.containers.close();
    await this.bench.close();
  }
}

export const is =
  (state: Container['state']) =>
  (container: Container | undefined): boolean =>
    container?.state === state;

export function untilContainer(
  containers: Containers,
  guid: string,
  test: (container: Container | undefined) => boolean,
): Promise<Container | undefined> {
  return new Promise((resolve) => {
    const look = (): void => {
      const container = containers.get(guid);
      if (!test(container)) return;
      unsubscribe();
      resolve(container);
    };
    const unsubscribe = containers.subscribe(look);
    queueMicrotask(look);
  });
}
