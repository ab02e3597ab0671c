import { randomUUID } from 'node:crypto';
import type { Clock } from '../../../core/clock.js';
import { toUnikError } from '../../../core/errors.js';
import type { Log } from '../../../core/log.js';
import type { Executor } from '../../../executor/executor.js';
import type { Exit } from '../../../executor/model.js';
import type { ExitView } from '../schema/instances.js';
import type { Board } from './board.js';
import type { App, AppRecords } from './record.js';
import { restartDelay, STEADY_MS } from './restart.js';
import { Serial } from './serial.js';
import { viewExit } from './view.js';

export interface StepsDeps {
  executor: Executor;
  records: AppRecords;
  clock: Clock;
  log: Log;
}

/** How long an ended `--rm` instance waits for those who still read its logs. */
const LAST_READERS_MS = 10_000;

/** What is done with one app, one step at a time, and the restarts and removals that follow by themselves. */
export class Steps {
  readonly #serial = new Serial();
  #isEnding = false;

  constructor(
    private readonly board: Board,
    private readonly deps: StepsDeps,
  ) {}

  /** All but `save` and `cancelRestart` are called in the app's turn. */
  inTurn<T>(id: string, step: () => Promise<T>): Promise<T> {
    return this.#serial.run(id, step);
  }

  /** In its turn, and nobody waits for it. */
  soon(app: App, step: () => Promise<void>): void {
    this.inTurn(app.id, step).catch((err: unknown) => {
      this.deps.log.error({ err, app_id: app.id, name: app.name }, 'app.step-failed');
    });
  }

  /** From now on nothing is started again by itself. */
  endRestarts(): void {
    this.#isEnding = true;
    for (const app of this.board.apps.values()) this.cancelRestart(app);
  }

  /** Resolves when no step runs or waits. */
  idle(): Promise<void> {
    return this.#serial.idle();
  }

  save(app: App): Promise<void> {
    return this.deps.records.save(app.id, app);
  }

  cancelRestart(app: App): void {
    this.board.waiting.get(app.id)?.abort();
    this.board.waiting.delete(app.id);
  }

  /** `retry`: a refusal is an end like any other, after which the policy decides; else it is the caller's. */
  async boot(app: App, retry: boolean): Promise<void> {
    const { executor, clock } = this.deps;
    this.board.booting.add(app.id);
    try {
      if (app.key !== undefined) await executor.remove(app.key);
      const key = randomUUID();
      app.key = key;
      app.started_at = clock.now();
      app.wanted = true;
      delete app.exit;
      // On disk before the machine exists: a crash between them leaves a key without a machine, never the reverse.
      await this.save(app);
      this.board.tell(app, 'start');
      await executor.run({ ...app.template, key, owner: executor.owner, name: app.name, log_id: app.id });
    } catch (err) {
      app.wanted = retry;
      const { code, message } = toUnikError(err);
      await this.#ended(app, { reason: 'start_failed', status: 125, error: code, message, at: clock.now() });
      throw err;
    } finally {
      this.board.booting.delete(app.id);
      this.board.changed();
    }
  }

  async halt(app: App, timeoutMs: number | undefined, options: { keep?: boolean } = {}): Promise<void> {
    if (app.key === undefined || !this.board.isUp(app)) return;
    const machine = await this.deps.executor.stop(app.key, timeoutMs ?? app.template.grace_ms);
    await this.machineEnded(app, machine.exit, options);
  }

  /** `exit`: undefined: nothing is left to tell how. `keep`: whoever asked for the end still needs a `--rm` app. */
  machineEnded(app: App, exit: Exit | undefined, options: { keep?: boolean } = {}): Promise<void> {
    const gone: ExitView = {
      reason: 'killed',
      status: 137,
      message: 'the machine was gone',
      at: this.deps.clock.now(),
    };
    return this.#ended(app, exit ? viewExit(exit) : gone, options);
  }

  /** Goes on where the last process left off. */
  async resume(app: App): Promise<void> {
    const machine = this.board.machine(app);
    if (app.key !== undefined && !app.exit) {
      if (!machine || machine.phase === 'completed') return this.machineEnded(app, machine?.exit);
      if (!app.wanted) await this.halt(app, undefined);
      return;
    }
    if (!app.exit) return;
    if (app.auto_remove) return this.erase(app);
    const { policy } = app.restart;
    const due =
      policy === 'always' ||
      (app.wanted && (policy === 'unless-stopped' || (policy === 'on-failure' && app.exit.status !== 0)));
    if (due) await this.boot(app, true);
  }

  async erase(app: App): Promise<void> {
    this.cancelRestart(app);
    if (app.key !== undefined) await this.deps.executor.remove(app.key);
    await this.deps.executor.removeLogs(app.id);
    await this.deps.records.remove(app.id);
    this.board.apps.delete(app.id);
    this.board.tell(app, 'remove');
  }

  /** Records an end, once, and decides what follows it. */
  async #ended(app: App, exit: ExitView, options: { keep?: boolean } = {}): Promise<void> {
    if (app.exit) return;
    app.exit = exit;
    const steady = exit.at - (app.started_at ?? exit.at) >= STEADY_MS;
    app.quick = steady ? 0 : app.quick;
    const stopped = !app.wanted;
    const delay = this.#isEnding
      ? undefined
      : restartDelay(app.restart, { exit, stopped, restarts: app.restarts, quick: app.quick });
    if (delay === undefined && !this.#isEnding) app.wanted = false;
    if (delay !== undefined) this.#restartLater(app, delay);
    this.board.tell(app, 'exit', exit.message);
    await this.save(app);
    if (delay === undefined && app.auto_remove && options.keep !== true) this.#removeWhenRead(app);
  }

  #restartLater(app: App, delay: number): void {
    const waiting = new AbortController();
    this.board.waiting.set(app.id, waiting);
    this.deps.clock.sleep(delay, waiting.signal).then(
      () => this.soon(app, () => this.#restartNow(app, waiting)),
      () => undefined, // cancelled by a stop, a start or our own end
    );
  }

  async #restartNow(app: App, waiting: AbortController): Promise<void> {
    if (waiting.signal.aborted || this.board.waiting.get(app.id) !== waiting) return;
    this.board.waiting.delete(app.id);
    app.restarts += 1;
    app.quick += 1;
    await this.boot(app, true);
  }

  #removeWhenRead(app: App): void {
    const remove = (): void =>
      this.soon(app, async () => {
        if (this.board.apps.has(app.id) && app.exit) await this.erase(app);
      });
    this.board.unread(app, AbortSignal.timeout(LAST_READERS_MS)).then(remove, remove);
  }
}
