import { join } from 'node:path';
import { UnikError } from '../../../core/errors.js';
import { KeyedQueue } from '../../../core/queue.js';
import type { Executor } from '../../../executor/executor.js';
import { Cursors } from '../../logs/cursors.js';
import type { Container, Outcome, RunOrder } from '../model.js';
import { Hints } from './hints.js';
import { Narrator, type NarratorDeps } from './narrator.js';
import { Promises } from './promises.js';
import { ContainerRecords } from './records.js';
import { containerOf, hasChanged, type ContainerRecord } from './state.js';

export interface EntriesDeps extends Omit<NarratorDeps, 'executor' | 'cursors'> {
  /** Our folder: `containers/` and `containers.cursors.json` in it are ours. */
  home: string;
  /** Ours to recover; closing it is the caller's. */
  executor: Executor;
  /** Where routers reach this cell. */
  address: string;
  /** What a machine costs on top of its application's memory, MB; grows at most linearly with it. */
  overheadMb: (memory_mb: number) => number;
}

/** One container while this process looks after it. */
export interface Entry {
  readonly guid: string;
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

/** The containers that this process knows: what is kept of each, how others see it, and the room it was promised. */
export class Entries {
  readonly hints: Hints;
  readonly promises: Promises;
  readonly #entries = new Map<string, Entry>();
  readonly #records: ContainerRecords;
  readonly #cursors: Cursors;
  readonly #saves = new KeyedQueue();

  constructor(
    private readonly deps: EntriesDeps,
    private readonly closed: AbortSignal,
  ) {
    const { home, executor, overheadMb, clock, log } = deps;
    this.hints = new Hints(closed, log);
    this.promises = new Promises(executor, overheadMb);
    this.#records = new ContainerRecords(join(home, 'containers'), log);
    this.#cursors = new Cursors(join(home, 'containers.cursors.json'), clock, log);
  }

  /** What the last process left. */
  async load(): Promise<void> {
    await this.#cursors.load();
    for (const record of await this.#records.load()) this.add(record);
  }

  all(): Entry[] {
    return [...this.#entries.values()];
  }

  get(guid: string): Entry | undefined {
    return this.#entries.get(guid);
  }

  /** Throws not_found. */
  find(guid: string): Entry {
    const entry = this.#entries.get(guid);
    if (!entry) throw new UnikError('not_found', `there is no container ${guid}`);
    return entry;
  }

  add(record: ContainerRecord): Entry {
    const { guid, demand } = record.reservation;
    const entry: Entry = { guid, record, view: this.#viewOf(record) };
    if (record.order) this.narrate(entry, record.order);
    this.#entries.set(guid, entry);
    if (entry.view.state !== 'completed') this.promises.make(guid, demand);
    return entry;
  }

  narrate(entry: Entry, order: RunOrder): Narrator {
    entry.narrator ??= new Narrator(entry.guid, order, { ...this.deps, cursors: this.#cursors });
    return entry.narrator;
  }

  /** Keeps what changed; `refresh` shows it. */
  change(entry: Entry, change: Partial<ContainerRecord>): void {
    entry.record = { ...entry.record, ...change };
    this.saveSoon(entry);
  }

  /** Ends a container that has no machine. */
  complete(entry: Entry, outcome: Outcome): void {
    this.change(entry, { ended: { at: this.deps.clock.now(), outcome } });
    this.refresh(entry.guid);
  }

  /** It was stopped before it ran. */
  completeUnstarted(entry: Entry): void {
    this.complete(entry, { failed: true, reason: this.deps.words.stoppedBeforeRunning, retryable: false });
  }

  /** Looks at what the executor has now, tells what is new, and lets others look. */
  refresh(guid: string): void {
    const entry = this.#entries.get(guid);
    if (!entry) return;
    const before = entry.view;
    // An end is final, also when nothing is left to read it from.
    const now = before.state === 'completed' ? before : this.#viewOf(entry.record);
    entry.view = now;
    entry.narrator?.progress(before, now, this.deps.executor.get(guid));
    if (!hasChanged(before, now)) return;
    if (now.state === 'completed') this.promises.release(guid);
    this.hints.tell(guid);
  }

  async save(entry: Entry): Promise<void> {
    if (entry.gone) return;
    await this.#saves.push(entry.guid, () => this.#records.save(entry.record));
  }

  saveSoon(entry: Entry): void {
    this.background('container.save-failed', entry.guid, this.save(entry));
  }

  /** The next process knows nothing of it; this one does until it is forgotten. */
  async removeRecord(entry: Entry): Promise<void> {
    entry.gone = true;
    await this.#saves.push(entry.guid, () => this.#records.remove(entry.guid));
  }

  forget(guid: string): void {
    this.#entries.delete(guid);
    this.promises.release(guid);
    this.#cursors.forget(guid);
    this.hints.tell(guid);
  }

  /** Resolves when all that was to be kept is kept. */
  async close(): Promise<void> {
    await this.#saves.idle();
    await this.#cursors.close();
  }

  /** Nobody waits for it: a failure is logged, but for one that our closing made. */
  background(what: string, guid: string, work: Promise<unknown>): void {
    work.catch((err: unknown) => {
      if (!this.closed.aborted) this.deps.log.error({ err, guid }, what);
    });
  }

  #viewOf(record: ContainerRecord): Container {
    const { executor, words, address } = this.deps;
    const outcome: typeof words.outcome = (end) => words.outcome(end);
    return containerOf(record, executor.get(record.reservation.guid), { outcome, address });
  }
}
