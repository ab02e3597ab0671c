import { join } from 'node:path';
import { UnikError } from '../../../core/errors.js';
import { KeyedQueue } from '../../../core/queue.js';
import type { LateEnv } from '../../../executor/boot.js';
import type { Executor } from '../../../executor/executor.js';
import { checkedName } from '../../../executor/records.js';
import type { Stager } from '../../../stager/staging/stage.js';
import { Cursors } from '../../logs/cursors.js';
import type { Change, Containers, ContainerUsage, Room } from '../containers.js';
import type { Container, NetInfo, Outcome, Reservation, RunOrder } from '../model.js';
import { Deadlines } from './deadlines.js';
import { Hints } from './hints.js';
import { Narrator, type NarratorDeps } from './narrator.js';
import { Promises } from './promises.js';
import { ContainerRecords } from './records.js';
import { CONTAINER_LABEL, GRACE_MS } from './spec.js';
import { INTERRUPTED, stageIt } from './staging.js';
import { failureOf, startMachine, type StarterDeps } from './starter.js';
import { containerOf, endOf, hasChanged, whereOf, type ContainerRecord } from './state.js';
import { usageOf } from './usage.js';

export interface ContainersDeps extends Omit<StarterDeps, 'executor'>, Omit<NarratorDeps, 'executor' | 'cursors'> {
  /** Our folder: `containers/` and `containers.cursors.json` in it are ours. */
  home: string;
  /** Ours to recover; closing it is the caller's. */
  executor: Executor;
  /** Where routers reach this cell. */
  address: string;
  /** What a machine costs on top of its application's memory, MB; grows at most linearly with it. */
  overheadMb: (memory_mb: number) => number;
  /** Carries out staging tasks; where it is missing, convert refuses them. */
  stager?: Stager;
  /** A reservation that nobody takes into use is given up after this long; default a minute. */
  reserved_ms?: number;
}

/** A crash may lose a reservation that is younger; the auction then places it anew. */
const RESERVATION_SAVED_MS = 500;
/** Diego's `reserved_expiration_time`. */
const RESERVED_MS = 60_000;

/** One container while this process looks after it. */
interface Entry {
  record: ContainerRecord;
  view: Container;
  /** From when its order is known. */
  narrator?: Narrator;
  /** Calls off its start. */
  start?: AbortController;
  /** Of a staging task: settles when nothing of it is left on the host. */
  staging?: Promise<void>;
  deleting?: Promise<void>;
  /** Its record is removed and must not come back. */
  gone?: true;
}

/** The containers of this cell over the executor's machines. `recover` must be called once before anything else. */
export class CellContainers implements Containers {
  readonly #entries = new Map<string, Entry>();
  readonly #promises: Promises;
  readonly #deadlines: Deadlines;
  readonly #hints: Hints;
  readonly #records: ContainerRecords;
  readonly #cursors: Cursors;
  readonly #saves = new KeyedQueue();
  readonly #closed = new AbortController();
  #unsubscribe: () => void = () => undefined;

  constructor(private readonly deps: ContainersDeps) {
    this.#promises = new Promises(deps.executor, deps.overheadMb);
    this.#deadlines = new Deadlines(deps.clock);
    this.#hints = new Hints(this.#closed.signal, deps.log);
    this.#records = new ContainerRecords(join(deps.home, 'containers'), deps.log);
    this.#cursors = new Cursors(join(deps.home, 'containers.cursors.json'), deps.clock, deps.log);
  }

  async recover(): Promise<void> {
    const { executor } = this.deps;
    await this.#cursors.load();
    const found = await this.#records.load();
    for (const record of found) this.#add(record);
    this.#unsubscribe = executor.subscribe(({ key }) => this.#refresh(key));
    await executor.recover();
    await this.deps.stager?.recover();
    for (const entry of [...this.#entries.values()]) this.#resume(entry);
    // Machines are started after their record is written: one without a record was deleted but for that.
    const strays = executor.list().filter(({ spec }) => CONTAINER_LABEL in spec.labels && !this.#entries.has(spec.key));
    for (const { spec } of strays) this.#background('container.stray', spec.key, this.#clearAway(spec.key));
  }

  list(): Container[] {
    return Array.from(this.#entries.values(), ({ view }) => view);
  }

  get(guid: string): Container | undefined {
    return this.#entries.get(guid)?.view;
  }

  reserve(reservation: Reservation): void {
    this.#closed.signal.throwIfAborted();
    const { guid, demand } = reservation;
    checkedName('guid', guid);
    if (this.#entries.has(guid)) throw new UnikError('name_in_use', `container ${guid} exists already`);
    this.#promises.check(guid, demand);
    const record: ContainerRecord = { schema: 1, reservation, reserved_at: this.deps.clock.now(), stopped: false };
    const entry = this.#add(record);
    this.#saveIfKept(entry);
    this.#expireLater(entry);
    this.#hints.tell(guid);
  }

  run(guid: string, order: RunOrder): void {
    this.#closed.signal.throwIfAborted();
    const entry = this.#entryOf(guid);
    if (entry.view.state !== 'reserved') {
      throw new UnikError('conflict', `container ${guid} is ${entry.view.state} and cannot be run`);
    }
    entry.record = { ...entry.record, order };
    entry.narrator = this.#narratorFor(guid, order);
    this.#deadlines.clear(guid);
    this.#refresh(guid);
    this.#begin(entry, order);
  }

  update(guid: string, change: Change): void {
    const entry = this.#entryOf(guid);
    const { order } = entry.record;
    if (!order) return;
    const { metric_tags = order.metric_tags } = change;
    const { logs, metrics } = order;
    const next = {
      ...{ ...order, ...change, metric_tags },
      ...{ logs: { ...logs, tags: metric_tags }, metrics: { ...metrics, tags: metric_tags } },
    };
    entry.record = { ...entry.record, order: next };
    entry.narrator?.renew(next);
    this.#saveSoon(entry);
    this.#refresh(guid);
    this.#hints.tell(guid);
  }

  stop(guid: string): void {
    const entry = this.#entryOf(guid);
    const { record, view } = entry;
    if (record.stopped || view.state === 'completed') return;
    entry.narrator?.cell(this.deps.words.stopping(guid));
    entry.record = { ...record, stopped: true };
    this.#saveSoon(entry);
    if (view.state === 'reserved') {
      this.#deadlines.clear(guid);
      this.#complete(entry, this.#unstarted());
      return;
    }
    this.#refresh(guid);
    entry.start?.abort(new Error('stopped'));
    this.#halt(guid);
  }

  async cut(guid: string): Promise<void> {
    const { view } = this.#entryOf(guid);
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
    return this.#hints.subscribe(listener);
  }

  room(): { total: Room; available: Room } {
    return this.#promises.room();
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
    const entries = [...this.#entries.values()];
    this.#deadlines.clearAll();
    for (const { start, narrator } of entries) {
      start?.abort(new Error('unik is closing'));
      narrator?.close();
    }
    await Promise.all(entries.map(async ({ narrator, staging }) => [await narrator?.done(), await staging]));
    for (const entry of entries) if (entry.view.state === 'reserved') this.#saveSoon(entry);
    await this.#saves.idle();
    await this.#cursors.close();
  }

  #entryOf(guid: string): Entry {
    const entry = this.#entries.get(guid);
    if (!entry) throw new UnikError('not_found', `there is no container ${guid}`);
    return entry;
  }

  #add(record: ContainerRecord): Entry {
    const entry: Entry = { record, view: this.#viewOf(record) };
    const { guid, demand } = record.reservation;
    if (record.order) entry.narrator = this.#narratorFor(guid, record.order);
    this.#entries.set(guid, entry);
    if (entry.view.state !== 'completed') this.#promises.make(guid, demand);
    return entry;
  }

  #viewOf(record: ContainerRecord): Container {
    const { executor, words, address } = this.deps;
    return containerOf(record, executor.get(record.reservation.guid), {
      outcome: (end) => words.outcome(end),
      address,
    });
  }

  #narratorFor(guid: string, order: RunOrder): Narrator {
    return new Narrator(guid, order, { ...this.deps, cursors: this.#cursors });
  }

  /** Looks at what the executor has now, tells what is new, and lets others look. */
  #refresh(guid: string): void {
    const entry = this.#entries.get(guid);
    if (!entry) return;
    const before = entry.view;
    // An end is final, also when nothing is left to read it from.
    const now = before.state === 'completed' ? before : this.#viewOf(entry.record);
    entry.view = now;
    entry.narrator?.progress(before, now, this.deps.executor.get(guid));
    if (!hasChanged(before, now)) return;
    if (now.state === 'running') this.#endInTime(entry);
    if (now.state === 'completed') {
      this.#deadlines.clear(guid);
      this.#promises.release(guid);
    }
    this.#hints.tell(guid);
  }

  /** Goes on where the last process left off. */
  #resume(entry: Entry): void {
    const { record } = entry;
    const { guid } = record.reservation;
    // What the machine became while nobody looked.
    this.#refresh(guid);
    const { state } = entry.view;
    if (state === 'reserved') this.#expireLater(entry);
    if (this.deps.executor.get(guid)) {
      this.#follow(entry);
      if (state === 'running') this.#endInTime(entry);
      if (record.stopped && state !== 'completed') this.#halt(guid);
    } else if (record.order?.staging) {
      // Its processes went with the last process of ours, or were just ended.
      if (state !== 'completed') this.#complete(entry, INTERRUPTED);
    } else if (state === 'initializing' && record.order) {
      if (record.stopped) this.#complete(entry, this.#unstarted());
      else this.#begin(entry, record.order);
    }
  }

  /** Fetches and boots, in the background. */
  #begin(entry: Entry, order: RunOrder): void {
    const { guid } = entry.record.reservation;
    const enough = new AbortController();
    entry.start = enough;
    if (order.staging) {
      entry.staging = this.#stage(entry, order, enough.signal);
      this.#background('container.staging-failed', guid, entry.staging);
    } else {
      this.#background('container.start-failed', guid, this.#start(entry, order, enough.signal));
    }
  }

  /** In place of a machine: from its beginning to its end. */
  async #stage(entry: Entry, order: RunOrder, signal: AbortSignal): Promise<void> {
    const { reservation } = entry.record;
    const narrator = (entry.narrator ??= this.#narratorFor(reservation.guid, order));
    const began = (): void => {
      entry.record = { ...entry.record, began_at: this.deps.clock.now() };
      this.#saveSoon(entry);
      this.#refresh(reservation.guid);
    };
    try {
      await this.#save(entry);
      signal.throwIfAborted();
      this.#complete(entry, await stageIt({ reservation, order, narrator, began }, this.deps, signal));
    } catch (err) {
      // Closing called it off: the next process tells that it was interrupted.
      if (this.#closed.signal.aborted) return;
      if (!entry.record.stopped) this.deps.log.warn({ err, guid: reservation.guid }, 'container.not-staged');
      const cancelled = { failed: true, reason: 'cancelled', retryable: false };
      this.#complete(entry, entry.view.state === 'running' ? cancelled : this.#unstarted());
    } finally {
      delete entry.start;
    }
  }

  async #start(entry: Entry, order: RunOrder, signal: AbortSignal): Promise<void> {
    const { reservation } = entry.record;
    const { guid } = reservation;
    const narrator = (entry.narrator ??= this.#narratorFor(guid, order));
    try {
      // No machine without a record of its container.
      await this.#save(entry);
      signal.throwIfAborted();
      await startMachine({ reservation, order, narrator }, this.deps, signal);
      this.#refresh(guid);
      this.#follow(entry);
      if (entry.record.stopped) this.#halt(guid);
    } catch (err) {
      // Closing called it off: the next process starts it.
      if (this.#closed.signal.aborted) return;
      const { words, log } = this.deps;
      log.warn({ err, guid }, 'container.not-started');
      const { stopped } = entry.record;
      this.#complete(entry, stopped ? this.#unstarted() : failureOf(err, guid, order.logs.source, narrator, words));
    } finally {
      delete entry.start;
    }
  }

  /** Ends a container that has no machine. */
  #complete(entry: Entry, outcome: Outcome): void {
    entry.record = { ...entry.record, ended: { at: this.deps.clock.now(), outcome } };
    this.#saveSoon(entry);
    this.#refresh(entry.record.reservation.guid);
  }

  #unstarted(): Outcome {
    return { failed: true, reason: this.deps.words.stoppedBeforeRunning, retryable: false };
  }

  #halt(guid: string): void {
    const { executor } = this.deps;
    // Not there yet: it is stopped as soon as it is.
    if (!executor.get(guid)) return;
    this.#background('container.stop-failed', guid, executor.stop(guid, GRACE_MS));
  }

  #follow({ narrator, record }: Entry): void {
    const { guid } = record.reservation;
    narrator?.follow(() => {
      const entry = this.#entries.get(guid);
      return entry && endOf(entry.record, this.deps.executor.get(guid));
    });
  }

  async #remove(entry: Entry): Promise<void> {
    const { words } = this.deps;
    const { guid } = entry.record.reservation;
    this.stop(guid);
    await this.#hints.until(guid, () => (this.#entries.get(guid)?.view.state ?? 'completed') === 'completed');
    await entry.narrator?.done();
    this.#closed.signal.throwIfAborted();
    const { narrator } = entry;
    narrator?.cell(words.destroying(guid));
    try {
      // The record first: a machine without one is taken for what it is at the next start.
      entry.gone = true;
      await this.#saves.push(guid, () => this.#records.remove(guid));
      await this.#clearAway(guid);
    } catch (err) {
      narrator?.cell(words.failedToDestroy(guid), 'err');
      throw err;
    }
    narrator?.cell(words.destroyed(guid));
    this.#entries.delete(guid);
    this.#promises.release(guid);
    this.#cursors.forget(guid);
    this.#hints.tell(guid);
  }

  async #clearAway(guid: string): Promise<void> {
    const { executor } = this.deps;
    await executor.remove(guid);
    await executor.removeLogs(guid);
  }

  #expireLater(entry: Entry): void {
    const { reservation, reserved_at } = entry.record;
    this.#deadlines.set(reservation.guid, reserved_at + (this.deps.reserved_ms ?? RESERVED_MS), () => {
      if (entry.view.state !== 'reserved') return;
      this.deps.log.warn({ guid: reservation.guid }, 'container.expired');
      this.#complete(entry, { failed: true, reason: this.deps.words.expired, retryable: false });
    });
  }

  /** A task's time is over so long after it began to run. */
  #endInTime(entry: Entry): void {
    const limit = entry.record.order?.timeout_ms ?? 0;
    const { running_at } = entry.view;
    if (limit === 0 || running_at === undefined) return;
    const { guid } = entry.record.reservation;
    this.#deadlines.set(guid, running_at + limit, () => {
      if (entry.view.state === 'completed' || entry.record.stopped) return;
      entry.record = { ...entry.record, timed_out: true };
      this.#saveSoon(entry);
      this.#halt(guid);
    });
  }

  /** Most reservations are taken into use at once, and saved then. */
  #saveIfKept(entry: Entry): void {
    const save = (): void => {
      if (entry.view.state === 'reserved') this.#saveSoon(entry);
    };
    this.deps.clock.sleep(RESERVATION_SAVED_MS, this.#closed.signal).then(save, () => undefined);
  }

  #saveSoon(entry: Entry): void {
    this.#background('container.save-failed', entry.record.reservation.guid, this.#save(entry));
  }

  async #save(entry: Entry): Promise<void> {
    if (entry.gone) return;
    const { guid } = entry.record.reservation;
    await this.#saves.push(guid, () => this.#records.save(entry.record));
  }

  #background(what: string, guid: string, work: Promise<unknown>): void {
    work.catch((err: unknown) => {
      if (!this.#closed.signal.aborted) this.deps.log.error({ err, guid }, what);
    });
  }
}
