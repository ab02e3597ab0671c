/**
 * Keeps containers and BBS equal. By level: whatever wakes us names a guid, and container and BBS are looked at afresh
 * (Diego: rep `harmonizer/bulker.go`, `generator/generator.go`, `cmd/rep/main.go` operationq).
 */
import type { Clock } from '../../core/clock.js';
import { messageOf } from '../../core/errors.js';
import { KeyedQueue } from '../../core/queue.js';
import type { Container } from '../cell/model.js';
import { decide, type Held, type Mode } from './decide.js';
import { perform, type PerformDeps } from './perform.js';

export interface ReconcilerOptions extends PerformDeps {
  clock: Clock;
  /** Between bulk passes: 30 s, 10 s while evacuating. */
  polling_ms: number;
  evacuation_polling_ms: number;
  /** How soon after a failure the BBS is asked whether it is back. */
  retry_ms: number;
  /** After each bulk pass that saw the BBS's view: what no record knows may be cleared away. */
  onPass?: () => void;
  /** A running instance is about to be evacuated for the first time. */
  onReplacement?: (container: Container) => void;
}

export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #queue = new KeyedQueue();
  /** What the last bulk pass saw, until it is looked at. */
  readonly #held = new Map<string, Held>();
  readonly #traces = new Map<string, string>();
  readonly #evacuated = new Set<string>();
  /** Guids whose last word the BBS did not hear. */
  readonly #owed = new Set<string>();
  readonly #closing = new AbortController();
  #passOwed = false;
  #recovering: Promise<void> | undefined;
  #mode: Mode = 'ordinary';
  #wake: AbortController | undefined;
  #ended: Promise<void> = Promise.resolve();
  #unsubscribe: () => void = () => undefined;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
  }

  get mode(): Mode {
    return this.#mode;
  }

  /** Guids that are looked at now or soon, or of which the BBS has not heard the last word. */
  get pending(): number {
    return this.#queue.size + this.#owed.size;
  }

  /** Begins to listen, and to pass every `polling_ms`. What is here already is looked at at once. */
  start(): void {
    const { containers } = this.#options;
    this.#unsubscribe = containers.subscribe((guid) => this.hint(guid));
    for (const { reservation } of containers.list()) this.hint(reservation.guid);
    this.#ended = this.#passes();
  }

  /** Looks at one guid soon. `trace` goes with what is told about it from now on. */
  hint(guid: string, trace?: string): void {
    if (trace) this.#traces.set(guid, trace);
    const { containers } = this.#options;
    void this.#enqueue(guid, () => this.#traces.get(guid) ?? containers.get(guid)?.reservation.trace);
  }

  /** From now on nothing is kept here. Idempotent. */
  evacuate(): void {
    if (this.#mode === 'evacuating') return;
    this.#mode = 'evacuating';
    this.#wake?.abort();
  }

  /** One look at everything. Resolves when all is done; false: the BBS did not tell what it holds, nothing was done. */
  async pass(): Promise<boolean> {
    const { containers, log, clock, onPass } = this.#options;
    const began = clock.now();
    let held: Map<string, Held>;
    try {
      held = await this.#fetch();
    } catch (err) {
      if (this.#closing.signal.aborted) return false;
      log.warn({ reason: messageOf(err) }, 'cell.bulk-skipped');
      this.#passOwed = true;
      this.#recover();
      return false;
    }
    this.#passOwed = false;
    // Read after the BBS's view: a container made meanwhile is not taken for a lost one.
    const guids = new Set([...held.keys(), ...containers.list().map(({ reservation }) => reservation.guid)]);
    for (const [guid, one] of held) this.#held.set(guid, one);
    await Promise.all([...guids].map((guid) => this.#enqueue(guid, () => undefined)));
    onPass?.();
    log.debug({ guids: guids.size, duration_ms: clock.now() - began }, 'cell.bulk-done');
    return true;
  }

  /** Resolves when nothing is being told any more. */
  idle(): Promise<void> {
    return this.#queue.idle();
  }

  /** Stops looking. Calls under way are given up. */
  async close(): Promise<void> {
    this.#unsubscribe();
    this.#closing.abort();
    this.#wake?.abort();
    await Promise.all([this.#ended, this.#recovering, this.#queue.idle()]);
  }

  async #passes(): Promise<void> {
    while (await this.#pause(this.#interval())) {
      // Not awaited: an instance that takes its time to end must not hold up the next pass.
      void this.pass();
    }
  }

  #interval(): number {
    const { polling_ms, evacuation_polling_ms } = this.#options;
    return this.#mode === 'evacuating' ? evacuation_polling_ms : polling_ms;
  }

  /** False: we are closing. Ends early when woken. */
  async #pause(ms: number): Promise<boolean> {
    const wake = (this.#wake = new AbortController());
    const { signal } = this.#closing;
    if (signal.aborted) return false;
    try {
      await this.#options.clock.sleep(ms, wake.signal);
    } catch (err) {
      if (!wake.signal.aborted) throw err;
    }
    return !signal.aborted;
  }

  async #fetch(): Promise<Map<string, Held>> {
    const { bbs, cell } = this.#options;
    const signal = this.#closing.signal;
    const [{ actual_lrps }, { tasks }] = await Promise.all([
      bbs.call('actual_lrps', { cell_id: cell.cell_id }, { signal }),
      bbs.call('tasks', { cell_id: cell.cell_id }, { signal }),
    ]);
    const held = new Map<string, Held>();
    const at = (guid: string): Held => held.get(guid) ?? held.set(guid, {}).get(guid) ?? {};
    for (const row of actual_lrps) {
      const { actual_lrp_instance_key, actual_lrp_key, presence } = row;
      if (!actual_lrp_instance_key || !actual_lrp_key) continue;
      const one = at(actual_lrp_instance_key.instance_guid);
      if (presence === 'EVACUATING') one.evacuating = actual_lrp_key;
      else one.lrp = actual_lrp_key;
      // To a suspect one the cell says anew that it is there: that is what promotes it.
      if (presence === 'ORDINARY') one.row = row;
    }
    for (const { task_guid, state } of tasks) {
      if (state === 'Running') at(task_guid).task = true;
    }
    return held;
  }

  /** Never rejects. */
  #enqueue(guid: string, trace: () => string | undefined): Promise<void> {
    return this.#queue.push(guid, async () => {
      try {
        await this.#look(guid, trace());
      } catch (err) {
        if (!this.#closing.signal.aborted) this.#options.log.error({ guid, err }, 'cell.reconcile-failed');
      }
    });
  }

  async #look(guid: string, trace: string | undefined): Promise<void> {
    const { containers, cell, onReplacement } = this.#options;
    const { signal } = this.#closing;
    if (signal.aborted) return;
    const container = containers.get(guid);
    const held = this.#held.get(guid);
    this.#held.delete(guid);
    if (!container) for (const known of [this.#traces, this.#evacuated]) known.delete(guid);
    const view = { ...cell, guid, mode: this.#mode, container, held, net: container && containers.netInfo(guid) };
    this.#owed.delete(guid);
    for (const step of decide(view)) {
      if (container && step.tell.call === 'evacuate_running' && !this.#evacuated.has(guid)) {
        this.#evacuated.add(guid);
        onReplacement?.(container);
      }
      const verdict = await perform(step, guid, this.#options, { trace, signal });
      if (verdict === 'owed') {
        this.#owed.add(guid);
        this.#recover();
      }
    }
  }

  /** Asks until the BBS answers again, then catches up. One question at a time, however much is owed. */
  #recover(): void {
    this.#recovering ??= this.#await().finally(() => {
      this.#recovering = undefined;
    });
  }

  async #await(): Promise<void> {
    const { clock, retry_ms, log } = this.#options;
    const { signal } = this.#closing;
    try {
      do await clock.sleep(retry_ms, signal);
      while (!(await this.#answers()));
    } catch (err) {
      if (signal.aborted) return;
      throw err;
    }
    const owed = [...this.#owed];
    log.info({ owed: owed.length, pass: this.#passOwed }, 'bbs.back');
    if (this.#passOwed) void this.pass();
    for (const guid of owed) this.hint(guid);
  }

  async #answers(): Promise<boolean> {
    const { signal } = this.#closing;
    try {
      return (await this.#options.bbs.call('ping', undefined, { signal })).available;
    } catch {
      // Whatever it is, it is asked again.
      signal.throwIfAborted();
      return false;
    }
  }
}
