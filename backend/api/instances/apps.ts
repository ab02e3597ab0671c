/**
 * Docker's shapes over one-way machines: an *app* is created once, and each of its starts is a new machine with a
 * fresh key. Its id, name, logs and restart policy live as long as the app. One job at a time per app.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import type { Clock } from '../../../core/clock.js';
import { toUnikError, UnikError } from '../../../core/errors.js';
import type { Log } from '../../../core/log.js';
import type { Executor, ExecutorEvent, ImageSource } from '../../../executor/executor.js';
import type { ExitView, InstanceOrder, InstanceSummary } from '../schema/instances.js';
import { Board } from './board.js';
import { inventName } from './names.js';
import { specFrom, type OrderDefaults } from './order.js';
import type { App, AppRecords } from './record.js';
import { restartDelay, STEADY_MS } from './restart.js';
import { Serial } from './serial.js';
import { viewExit } from './view.js';

export interface AppsDeps {
  executor: Executor;
  records: AppRecords;
  images: ImageSource;
  /** Looked up at each create: the accelerator is known only after a probe. */
  defaults: (order: InstanceOrder) => Promise<OrderDefaults>;
  clock: Clock;
  log: Log;
}

/** How long an ended `--rm` instance waits for those who still read its logs. */
const LAST_READERS_MS = 10_000;

export class Apps {
  readonly board: Board;
  readonly #serial = new Serial();
  #draining = false;
  #unsubscribe: () => void = () => undefined;

  constructor(private readonly deps: AppsDeps) {
    this.board = new Board(deps.executor, deps.clock);
  }

  /** Call once, after `executor.recover()`: finishes what ended while we were away, starts what should be up. */
  async recover(): Promise<void> {
    for (const app of await this.deps.records.load()) this.board.apps.set(app.id, app);
    this.#unsubscribe = this.deps.executor.subscribe((event) => this.#onMachine(event));
    for (const app of this.board.apps.values()) {
      void this.#serial.run(app.id, () => this.#resume(app)).catch((err: unknown) => this.#failed(app, err));
    }
  }

  /** Creates without starting. Throws name_in_use, image_*, bad_request. */
  async create(order: InstanceOrder): Promise<InstanceSummary> {
    const image = await this.deps.images.get(order.image);
    const defaults = await this.deps.defaults(order);
    const name = order.name ?? inventName((taken) => this.board.named(taken) !== undefined, Math.random);
    const other = this.board.named(name);
    if (other) throw new UnikError('name_in_use', `the name "${name}" is in use by instance ${other.id.slice(0, 12)}`);
    const app: App = {
      schema: 1,
      id: randomBytes(16).toString('hex'),
      name,
      image_ref: order.image,
      template: specFrom(order, image, name, defaults),
      restart: order.restart,
      auto_remove: order.auto_remove,
      created_at: this.deps.clock.now(),
      wanted: false,
      restarts: 0,
      quick: 0,
    };
    this.board.apps.set(app.id, app);
    try {
      await this.#save(app);
    } catch (err) {
      this.board.apps.delete(app.id);
      throw err;
    }
    this.board.tell(app, 'create');
    return this.board.summary(app);
  }

  /** `kernel`: an entry's id for this and later starts; `newest`: back to the newest of the image's abi. */
  start(ref: string, kernel?: string): Promise<InstanceSummary> {
    return this.#job(ref, async (app) => {
      if (this.board.isUp(app)) return;
      this.#cancelRestart(app);
      app.restarts = 0;
      app.quick = 0;
      chooseKernel(app, kernel);
      await this.#boot(app, false);
    });
  }

  stop(ref: string, timeoutMs?: number): Promise<InstanceSummary> {
    return this.#job(ref, async (app) => {
      this.#cancelRestart(app);
      app.wanted = false;
      await this.#save(app);
      await this.#halt(app, timeoutMs);
    });
  }

  restart(
    ref: string,
    options: { timeout_ms?: number | undefined; kernel?: string | undefined },
  ): Promise<InstanceSummary> {
    return this.#job(ref, async (app) => {
      this.#cancelRestart(app);
      chooseKernel(app, options.kernel);
      const restarts = app.restarts;
      app.wanted = false;
      await this.#halt(app, options.timeout_ms, { keep: true });
      app.restarts = restarts;
      app.quick = 0;
      await this.#boot(app, false);
      this.board.tell(app, 'restart');
    });
  }

  /** Not queued: a kill must reach a machine that is being stopped. */
  async kill(ref: string, signal: NodeJS.Signals): Promise<InstanceSummary> {
    const app = this.board.find(ref);
    if (app.key === undefined || !this.board.isUp(app)) throw new UnikError('conflict', `${app.name} is not running`);
    await this.deps.executor.kill(app.key, signal);
    this.board.tell(app, 'kill', signal);
    return this.board.summary(app);
  }

  /** Removes app, logs and, with `force`, a machine that still runs. Throws conflict without it. */
  async remove(ref: string, force: boolean): Promise<InstanceSummary> {
    const found = this.board.find(ref);
    if (!force && this.board.isUp(found)) throw new UnikError('conflict', `${found.name} is running`);
    if (force) {
      found.wanted = false;
      this.#cancelRestart(found);
      // Outside the queue, so that a long grace that is under way ends now.
      if (found.key !== undefined) await this.deps.executor.remove(found.key);
    }
    return this.#serial.run(found.id, async () => {
      const app = this.board.apps.get(found.id);
      if (!app) throw new UnikError('not_found', `there is no instance "${ref}"`);
      if (!force && this.board.isUp(app)) throw new UnikError('conflict', `${app.name} is running`);
      const last = this.board.summary(app);
      await this.#erase(app);
      return last;
    });
  }

  /** `unik down`: ends every machine; those that should be up come back with the next daemon. */
  async drain(): Promise<number> {
    this.#draining = true;
    for (const app of this.board.apps.values()) this.#cancelRestart(app);
    const up = [...this.board.apps.values()].filter((app) => this.board.isUp(app));
    const results = await Promise.allSettled(
      up.map((app) => this.#serial.run(app.id, () => this.#halt(app, undefined))),
    );
    for (const result of results) if (result.status === 'rejected') throw result.reason;
    return up.length;
  }

  /** Ends our timers; machines stay. */
  async close(): Promise<void> {
    this.#draining = true;
    this.#unsubscribe();
    for (const app of this.board.apps.values()) this.#cancelRestart(app);
    await this.#serial.idle();
  }

  // --- one app's steps, each run inside its queue ---

  /** `retry`: a refusal is an end like any other, after which the policy decides; else it is the caller's. */
  async #boot(app: App, retry: boolean): Promise<void> {
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
      await this.#save(app);
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

  async #halt(app: App, timeoutMs: number | undefined, options: { keep?: boolean } = {}): Promise<void> {
    if (app.key === undefined || !this.board.isUp(app)) return;
    const machine = await this.deps.executor.stop(app.key, timeoutMs ?? app.template.grace_ms);
    await this.#ended(app, machine.exit ? viewExit(machine.exit) : this.#vanished(), options);
  }

  /** Records an end, once, and decides what follows it. */
  async #ended(app: App, exit: ExitView, options: { keep?: boolean } = {}): Promise<void> {
    if (app.exit) return;
    app.exit = exit;
    const steady = exit.at - (app.started_at ?? exit.at) >= STEADY_MS;
    app.quick = steady ? 0 : app.quick;
    const stopped = !app.wanted;
    const delay = this.#draining
      ? undefined
      : restartDelay(app.restart, { exit, stopped, restarts: app.restarts, quick: app.quick });
    if (delay === undefined && !this.#draining) app.wanted = false;
    if (delay !== undefined) this.#restartLater(app, delay);
    this.board.tell(app, 'exit', exit.message);
    await this.#save(app);
    if (delay === undefined && app.auto_remove && options.keep !== true) this.#removeWhenRead(app);
  }

  async #resume(app: App): Promise<void> {
    const machine = this.board.machine(app);
    if (app.key !== undefined && !app.exit) {
      if (!machine) return this.#ended(app, this.#vanished());
      if (machine.phase === 'completed')
        return this.#ended(app, machine.exit ? viewExit(machine.exit) : this.#vanished());
      if (!app.wanted) await this.#halt(app, undefined);
      return;
    }
    if (!app.exit) return;
    if (app.auto_remove) return this.#erase(app);
    const { policy } = app.restart;
    const due =
      policy === 'always' ||
      (app.wanted && (policy === 'unless-stopped' || (policy === 'on-failure' && app.exit.status !== 0)));
    if (due) await this.#boot(app, true);
  }

  async #erase(app: App): Promise<void> {
    this.#cancelRestart(app);
    if (app.key !== undefined) await this.deps.executor.remove(app.key);
    await this.deps.executor.removeLogs(app.id);
    await this.deps.records.remove(app.id);
    this.board.apps.delete(app.id);
    this.board.tell(app, 'remove');
  }

  // --- what happens by itself ---

  #onMachine(event: ExecutorEvent): void {
    const app = this.board.apps.get(event.log_id);
    if (!app || app.key !== event.key) return;
    if (event.type === 'running' || event.type === 'ready' || event.type === 'unready')
      this.board.tell(app, event.type);
    else this.board.changed();
    if (event.type !== 'completed') return;
    const { exit } = event.instance;
    void this.#serial
      .run(app.id, async () => {
        if (app.key === event.key && this.board.apps.has(app.id))
          await this.#ended(app, exit ? viewExit(exit) : this.#vanished());
      })
      .catch((err: unknown) => this.#failed(app, err));
  }

  #restartLater(app: App, delay: number): void {
    const waiting = new AbortController();
    this.board.waiting.set(app.id, waiting);
    void this.deps.clock.sleep(delay, waiting.signal).then(
      () =>
        this.#serial.run(app.id, () => this.#restartNow(app, waiting)).catch((err: unknown) => this.#failed(app, err)),
      () => undefined, // cancelled by a stop, a start or our own end
    );
  }

  async #restartNow(app: App, waiting: AbortController): Promise<void> {
    if (waiting.signal.aborted || this.board.waiting.get(app.id) !== waiting) return;
    this.board.waiting.delete(app.id);
    app.restarts += 1;
    app.quick += 1;
    await this.#boot(app, true);
  }

  #cancelRestart(app: App): void {
    this.board.waiting.get(app.id)?.abort();
    this.board.waiting.delete(app.id);
  }

  #removeWhenRead(app: App): void {
    const read = this.board.unread(app, AbortSignal.timeout(LAST_READERS_MS));
    const remove = (): Promise<void> =>
      this.#serial.run(app.id, async () => {
        if (this.board.apps.has(app.id) && app.exit) await this.#erase(app);
      });
    read.then(remove, remove).catch((err: unknown) => this.#failed(app, err));
  }

  // --- small things ---

  async #job(ref: string, step: (app: App) => Promise<void>): Promise<InstanceSummary> {
    const { id } = this.board.find(ref);
    return this.#serial.run(id, async () => {
      const app = this.board.apps.get(id);
      if (!app) throw new UnikError('not_found', `there is no instance "${ref}"`);
      await step(app);
      return this.board.summary(app);
    });
  }

  #vanished(): ExitView {
    return { reason: 'killed', status: 137, message: 'the machine was gone', at: this.deps.clock.now() };
  }

  #save(app: App): Promise<void> {
    return this.deps.records.save(app.id, app);
  }

  #failed(app: App, err: unknown): void {
    this.deps.log.error({ err, app_id: app.id, name: app.name }, 'app.step-failed');
  }
}

function chooseKernel(app: App, kernel: string | undefined): void {
  if (kernel === undefined) return;
  if (kernel === 'newest') delete app.template.kernel;
  else app.template.kernel = kernel;
}
