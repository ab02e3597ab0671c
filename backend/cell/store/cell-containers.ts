import { UnikError } from '../../../core/errors.js';
import type { LateEnv } from '../../../executor/boot.js';
import { checkedName } from '../../../executor/records.js';
import type { Change, Containers, ContainerUsage, Room } from '../containers.js';
import type { Container, NetInfo, Reservation, RunOrder } from '../model.js';
import { Entries, type Entry } from './entries.js';
import { Limits, type LimitsDeps } from './limits.js';
import { Runs, type RunsDeps } from './runs.js';
import { CONTAINER_LABEL } from './spec.js';
import { INTERRUPTED } from './staging.js';
import { whereOf, type ContainerRecord } from './state.js';
import { usageOf } from './usage.js';

export interface ContainersDeps extends RunsDeps, Pick<LimitsDeps, 'reserved_ms'> {}

/** A crash may lose a reservation that is younger; the auction then places it anew. */
const RESERVATION_SAVED_MS = 500;

/** The containers of this cell over the executor's machines. `recover` must be called once before anything else. */
export class CellContainers implements Containers {
  readonly #closed = new AbortController();
  readonly #entries: Entries;
  readonly #runs: Runs;
  readonly #limits: Limits;
  #unsubscribe: () => void = () => undefined;

  constructor(private readonly deps: ContainersDeps) {
    const { signal } = this.#closed;
    this.#entries = new Entries(deps, signal);
    this.#runs = new Runs(this.#entries, deps, signal);
    this.#limits = new Limits(this.#entries, deps, (guid) => this.#runs.halt(guid));
  }

  async recover(): Promise<void> {
    const { executor } = this.deps;
    await this.#entries.load();
    this.#unsubscribe = executor.subscribe(({ key }) => this.#entries.refresh(key));
    await executor.recover();
    await this.deps.stager?.recover();
    for (const entry of this.#entries.all()) this.#resume(entry);
    // Machines are started after their record is written: one without a record was deleted but for that.
    const strays = executor.list().filter(({ spec }) => CONTAINER_LABEL in spec.labels && !this.#entries.get(spec.key));
    for (const { spec } of strays)
      this.#entries.background('container.stray', spec.key, this.#runs.clearAway(spec.key));
  }

  list(): Container[] {
    return this.#entries.all().map(({ view }) => view);
  }

  get(guid: string): Container | undefined {
    return this.#entries.get(guid)?.view;
  }

  reserve(reservation: Reservation): void {
    this.#closed.signal.throwIfAborted();
    const { guid, demand } = reservation;
    checkedName('guid', guid);
    if (this.#entries.get(guid)) throw new UnikError('name_in_use', `container ${guid} exists already`);
    this.#entries.promises.check(guid, demand);
    const record: ContainerRecord = { schema: 1, reservation, reserved_at: this.deps.clock.now(), stopped: false };
    this.#saveIfKept(this.#entries.add(record));
    this.#entries.hints.tell(guid);
  }

  run(guid: string, order: RunOrder): void {
    this.#closed.signal.throwIfAborted();
    const entry = this.#entries.find(guid);
    if (entry.view.state !== 'reserved') {
      throw new UnikError('conflict', `container ${guid} is ${entry.view.state} and cannot be run`);
    }
    entry.record = { ...entry.record, order };
    this.#entries.narrate(entry, order);
    this.#entries.refresh(guid);
    this.#runs.begin(entry, order);
  }

  update(guid: string, change: Change): void {
    const entry = this.#entries.find(guid);
    const { order } = entry.record;
    if (!order) return;
    const { metric_tags = order.metric_tags } = change;
    const { logs, metrics } = order;
    const next = {
      ...{ ...order, ...change, metric_tags },
      ...{ logs: { ...logs, tags: metric_tags }, metrics: { ...metrics, tags: metric_tags } },
    };
    entry.narrator?.renew(next);
    this.#entries.change(entry, { order: next });
    this.#entries.refresh(guid);
    this.#entries.hints.tell(guid);
  }

  stop(guid: string): void {
    const entry = this.#entries.find(guid);
    const { record, view } = entry;
    if (record.stopped || view.state === 'completed') return;
    entry.narrator?.cell(this.deps.words.stopping(guid));
    this.#entries.change(entry, { stopped: true });
    if (view.state === 'reserved') {
      this.#entries.completeUnstarted(entry);
      return;
    }
    this.#entries.refresh(guid);
    entry.start?.abort(new Error('stopped'));
    this.#runs.halt(guid);
  }

  async cut(guid: string): Promise<void> {
    const { view } = this.#entries.find(guid);
    if (view.state === 'reserved') throw new UnikError('conflict', `container ${guid} has no machine yet`);
    await this.deps.executor.kill(guid, 'SIGKILL');
  }

  delete(guid: string): Promise<void> {
    const entry = this.#entries.get(guid);
    if (!entry) return Promise.resolve();
    entry.deleting ??= this.#remove(entry).finally(() => delete entry.deleting);
    return entry.deleting;
  }

  subscribe(listener: (guid: string) => void): () => void {
    return this.#entries.hints.subscribe(listener);
  }

  room(): { total: Room; available: Room } {
    return this.#entries.promises.room();
  }

  async usage(guid: string): Promise<ContainerUsage | undefined> {
    const entry = this.#entries.get(guid);
    const instance = this.deps.executor.get(guid);
    if (!entry || !instance) return undefined;
    const used = await this.deps.executor.usage(guid);
    return used && usageOf(instance, used, this.deps.clock.now());
  }

  netInfo(guid: string): NetInfo | undefined {
    return this.#entries.get(guid)?.view.net;
  }

  /** What only the place of its machine decides of a container's environment; the executor asks at each boot. */
  readonly lateEnv: LateEnv = (spec, where) => {
    const entry = this.#entries.get(spec.key);
    const { order } = entry?.record ?? {};
    if (!entry || !order) return {};
    const net = whereOf(where, order.ports, this.deps.address);
    const before = new Map(order.launch.env);
    // The rest of it is in the spec, and there the command's own assignments have won.
    return Object.fromEntries(
      Object.entries(this.deps.words.instanceEnv(order, net)).filter(([name, value]) => before.get(name) !== value),
    );
  };

  async close(): Promise<void> {
    this.#unsubscribe();
    this.#closed.abort(new Error('unik is closing'));
    const entries = this.#entries.all();
    this.#limits.clear();
    for (const { start, narrator } of entries) {
      start?.abort(new Error('unik is closing'));
      narrator?.close();
    }
    await Promise.all(entries.map(async ({ narrator, staging }) => [await narrator?.done(), await staging]));
    for (const entry of entries) if (entry.view.state === 'reserved') this.#entries.saveSoon(entry);
    await this.#entries.close();
  }

  /** Goes on where the last process left off. */
  #resume(entry: Entry): void {
    const { guid, record } = entry;
    // What the machine became while nobody looked.
    this.#entries.refresh(guid);
    this.#limits.set(guid);
    const { state } = entry.view;
    if (this.deps.executor.get(guid)) {
      this.#runs.follow(entry);
      if (record.stopped && state !== 'completed') this.#runs.halt(guid);
    } else if (record.order?.staging) {
      // Its processes went with the last process of ours, or were just ended.
      if (state !== 'completed') this.#entries.complete(entry, INTERRUPTED);
    } else if (state === 'initializing' && record.order) {
      if (record.stopped) this.#entries.completeUnstarted(entry);
      else this.#runs.begin(entry, record.order);
    }
  }

  async #remove(entry: Entry): Promise<void> {
    const { words } = this.deps;
    const { guid } = entry;
    this.stop(guid);
    await this.#entries.hints.until(guid, () => (this.#entries.get(guid)?.view.state ?? 'completed') === 'completed');
    await entry.narrator?.done();
    this.#closed.signal.throwIfAborted();
    const { narrator } = entry;
    narrator?.cell(words.destroying(guid));
    try {
      // The record first: a machine without one is taken for what it is at the next start.
      await this.#entries.removeRecord(entry);
      await this.#runs.clearAway(guid);
    } catch (err) {
      narrator?.cell(words.failedToDestroy(guid), 'err');
      throw err;
    }
    narrator?.cell(words.destroyed(guid));
    this.#entries.forget(guid);
  }

  /** Most reservations are taken into use at once, and saved then. */
  #saveIfKept(entry: Entry): void {
    const save = (): void => {
      if (entry.view.state === 'reserved') this.#entries.saveSoon(entry);
    };
    this.deps.clock.sleep(RESERVATION_SAVED_MS, this.#closed.signal).then(save, () => undefined);
  }
}
