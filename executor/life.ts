import type { Clock, Millis } from '../core/clock.js';
import { toUnikError } from '../core/errors.js';
import type { Log } from '../core/log.js';
import type { KeyedQueue } from '../core/queue.js';
import { holdsMachine } from './capacity.js';
import { makeChecks, makeChecksOfAll } from './checks/check.js';
import { awaitStartup, watchChanges } from './checks/watch.js';
import type { createLimit } from './console/limit.js';
import type { LogHold } from './console/logs.js';
import { pump } from './console/pump.js';
import type { ExecutorEvent } from './executor.js';
import { step, type Effect, type InstanceEvent } from './lifecycle.js';
import type { CheckFailure, Instance, MachineHandle } from './model.js';
import type { Provider } from './providers/provider.js';
import type { Records } from './records.js';

export interface LifeDeps {
  clock: Clock;
  log: Log;
  records: Records;
  /** Writes of one record follow one another, the newest replacing one that waits. */
  saves: KeyedQueue;
  provider: Provider;
  /** Where its console goes; absent for an instance that was over when we came. */
  hold?: LogHold;
  limit?: ReturnType<typeof createLimit>;
  /** Of its guest, where one console carries the kernel's lines and the application's. */
  kernelLines?: RegExp;
  boot: (instance: Instance, signal: AbortSignal) => Promise<MachineHandle>;
  announce: (type: ExecutorEvent['type'], instance: Instance) => void;
  /** Called after each new state is on disk. */
  changed: (instance: Instance) => void;
}

/** One handler per effect: a missing one does not compile. What it gives is fed back into `step`. */
type Runners = {
  [K in Effect['do']]: (effect: Extract<Effect, { do: K }>, then: Instance) => Promise<InstanceEvent | undefined>;
};

const RETRY_MS = 1_000;
const BOOT_MS = 60_000;
/** The end of a console that does not come must not keep a dead machine. */
const DRAIN_MS = 5_000;
const CLOSE_MS = 2_000;
const LAST_WORD_MS = 500;

/** Lives one instance: keeps its state and its record, and performs the effects that `step` asks for. */
export class Life {
  #now: Instance;
  readonly #boot = new AbortController();
  readonly #checks = new AbortController();
  readonly #watch = new AbortController();
  readonly #closed = new AbortController();
  #pumping: Promise<void> | undefined;
  readonly #running = new Set<Promise<void>>();
  readonly #runners: Runners = {
    boot: () => this.#bootMachine(),
    call_off_boot: async () => {
      this.#boot.abort(new Error('called off'));
      return undefined;
    },
    watch: ({ handle }) => this.#watchMachine(handle),
    await_startup: ({ handle }) => this.#awaitStartup(handle),
    watch_health: ({ handle }) => this.#watchHealth(handle),
    end_checks: async () => {
      this.#checks.abort(new Error('the checks are over'));
      return undefined;
    },
    halt: ({ handle, grace_ms }) => this.#halt(handle, grace_ms),
    clear: ({ handle }) => this.#clear(handle),
    announce: async ({ type }, then) => {
      this.deps.announce(type, then);
      return undefined;
    },
  };

  constructor(
    instance: Instance,
    private readonly deps: LifeDeps,
  ) {
    this.#now = instance;
  }

  get instance(): Instance {
    return this.#now;
  }

  /** The state changes at once; the record is written before the effects begin. */
  dispatch(event: InstanceEvent): void {
    const before = this.#now;
    const { next, effects } = step(before, event, this.deps.clock.now());
    this.#now = next;
    if (next.ignored_events > before.ignored_events) {
      this.deps.log.debug({ event: event.type, phase: next.phase }, 'instance.event-ignored');
      return;
    }
    // A reserved one is booted by the next process as well: that it has begun is not worth a write.
    this.#track(this.#perform(effects, next, event.type !== 'run'));
  }

  /**
   * Ends what we do for the machine and leaves it running. What takes longer than a moment, such as a stop under way,
   * is left as well: its record makes the next process take it up.
   */
  async close(): Promise<void> {
    for (const control of [this.#closed, this.#boot, this.#checks, this.#watch]) {
      control.abort(new Error('unik is closing'));
    }
    const moment = new AbortController();
    const over = this.deps.clock.sleep(CLOSE_MS, moment.signal).catch(() => undefined);
    await Promise.race([this.#settled(), over]);
    moment.abort();
    await this.deps.hold?.release();
  }

  get #closing(): boolean {
    return this.#closed.signal.aborted;
  }

  async #settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
  }

  async #perform(effects: readonly Effect[], then: Instance, kept: boolean): Promise<void> {
    const { records, saves, log } = this.deps;
    try {
      if (kept) await saves.push(this.#now.spec.key, () => records.save(this.#now));
    } catch (err) {
      // The machine counts for more than its record: what the provider lists makes up for a lost handle.
      log.error({ err }, 'record.save-failed');
    }
    this.deps.changed(this.#now);
    if (!holdsMachine(this.#now) && this.deps.hold) this.#track(this.deps.hold.release());
    if (this.#closing) return;
    for (const effect of effects) this.#track(this.#run(effect, then));
  }

  async #run(effect: Effect, then: Instance): Promise<void> {
    try {
      const runner = this.#runners[effect.do] as (effect: Effect, then: Instance) => Promise<InstanceEvent | undefined>;
      const event = await runner(effect, then);
      if (event) this.dispatch(event);
    } catch (err) {
      if (this.#closing) return;
      this.deps.log.error({ err, effect: effect.do }, 'instance.effect-failed');
    }
  }

  #track(work: Promise<void>): void {
    const settled = work.catch((err: unknown) => this.deps.log.error({ err }, 'instance.failed'));
    this.#running.add(settled);
    void settled.finally(() => this.#running.delete(settled));
  }

  async #bootMachine(): Promise<InstanceEvent | undefined> {
    try {
      const handle = await this.deps.boot(this.#now, this.#boot.signal);
      return { type: 'machine_started', handle };
    } catch (err) {
      // Closing called it off: the next process boots it.
      if (this.#closing) return undefined;
      this.deps.log.warn({ err }, 'instance.boot-failed');
      const { code, message } = toUnikError(err, 'machine_failed');
      return { type: 'start_failed', error: code, message };
    }
  }

  async #watchMachine(handle: MachineHandle): Promise<InstanceEvent> {
    this.#pump(handle);
    const { provider, clock, log } = this.deps;
    for (;;) {
      try {
        return { type: 'machine_exited', exit: await provider.exits(handle, this.#watch.signal) };
      } catch (err) {
        this.#watch.signal.throwIfAborted();
        log.warn({ err }, 'machine.watch-lost');
        await clock.sleep(RETRY_MS, this.#watch.signal);
      }
    }
  }

  #pump(handle: MachineHandle): void {
    const { provider, clock, log, hold, limit, kernelLines } = this.deps;
    if (!hold) return;
    const more = { ...(limit ? { limit } : {}), ...(kernelLines ? { kernelLines } : {}) };
    const deps = { provider, handle, file: hold.file, clock, log, ...more };
    this.#pumping ??= pump(deps, this.#watch.signal).catch((err: unknown) => {
      if (!this.#watch.signal.aborted) log.error({ err }, 'console.failed');
    });
    this.#track(this.#pumping);
  }

  async #awaitStartup(handle: MachineHandle): Promise<InstanceEvent | undefined> {
    const { health } = this.#now.spec;
    const { clock, provider } = this.deps;
    return this.#untilChecksEnd(async (signal) => {
      const limit = health.start_timeout_ms;
      const deadline = limit > 0 ? (await this.#begun(handle, signal)) + limit : undefined;
      const check = makeChecksOfAll([health.startup, ...(health.startup_also ?? [])], { provider, handle, clock });
      const late = await awaitStartup(check, { clock, interval_ms: health.startup_interval_ms, deadline }, signal);
      if (late === undefined) return { type: 'check_passed' };
      const message = `not up within ${health.start_timeout_ms} ms: ${late.failure.message}`;
      return { type: 'start_timeout', message, check: late };
    });
  }

  /** From when on the application had time to come up: its machine's boot is not its own. A boot that hangs is. */
  async #begun(handle: MachineHandle, signal: AbortSignal): Promise<Millis> {
    const { provider, clock } = this.deps;
    const since = this.#now.started_at ?? clock.now();
    if (!provider.begun) return since;
    const enough = new AbortController();
    const patience = clock.sleep(BOOT_MS, AbortSignal.any([signal, enough.signal]));
    try {
      await Promise.race([provider.begun(handle), patience]);
    } finally {
      enough.abort();
      patience.catch(() => undefined);
    }
    return Math.max(since, clock.now());
  }

  /** Readiness and liveness side by side; only liveness ends it. */
  async #watchHealth(handle: MachineHandle): Promise<undefined> {
    const { readiness, liveness } = this.#now.spec.health;
    const { clock, provider } = this.deps;
    const watch = (
      spec: typeof readiness,
      passing: boolean,
      eventOf: (failure: CheckFailure | undefined) => InstanceEvent | undefined,
    ): Promise<undefined> =>
      this.#untilChecksEnd(async (signal) => {
        if (!spec) return undefined;
        const check = makeChecks([spec.check, ...(spec.also ?? [])], { provider, handle, clock });
        for await (const failure of watchChanges(check, { ...spec, clock, passing }, signal)) {
          const event = eventOf(failure);
          // An application that has just ended refuses connections before its end is known; then that is the reason.
          if (event?.type === 'check_failed') await clock.sleep(LAST_WORD_MS, signal);
          if (event) this.dispatch(event);
        }
        return undefined;
      });
    await Promise.all([
      watch(
        liveness,
        true,
        (failure) => failure && { type: 'check_failed', message: failure.message, check: { failure, attempts: 1 } },
      ),
      watch(readiness, this.#now.ready, (failure) => ({ type: 'readiness_changed', ready: failure === undefined })),
    ]);
  }

  async #untilChecksEnd<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    const { signal } = this.#checks;
    try {
      return await work(signal);
    } catch (err) {
      if (signal.aborted) return undefined;
      throw err;
    }
  }

  async #halt(handle: MachineHandle, grace_ms: number): Promise<undefined> {
    const { provider, log } = this.deps;
    try {
      await provider.stop(handle, grace_ms);
    } catch (err) {
      log.warn({ err }, 'machine.stop-failed');
      await provider.kill(handle, 'SIGKILL');
    }
  }

  async #clear(handle: MachineHandle): Promise<InstanceEvent | undefined> {
    const { provider, clock, log, hold } = this.deps;
    this.#pump(handle);
    await this.#drained();
    // Not read to its end: the next process goes on from there.
    if (this.#closing) return undefined;
    // Followers of the log see its end now, also where destroying takes long.
    await hold?.release();
    for (;;) {
      try {
        await provider.destroy(handle);
        return { type: 'cleared' };
      } catch (err) {
        log.warn({ err }, 'machine.destroy-failed');
        await clock.sleep(RETRY_MS, this.#closed.signal);
      }
    }
  }

  async #drained(): Promise<void> {
    const enough = new AbortController();
    const time = this.deps.clock.sleep(DRAIN_MS, enough.signal).catch(() => undefined);
    await Promise.race([this.#pumping, time]);
    enough.abort();
    this.#watch.abort(new Error('the machine has ended'));
  }
}
