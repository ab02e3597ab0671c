/**
 * Docker's shapes over one-way machines: an *app* is created once, and each of its starts is a new machine with a
 * fresh key. Its id, name, logs and restart policy live as long as the app. One job at a time per app.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import type { Clock } from '../../../core/clock.js';
import { toUnikError, UnikError } from '../../../core/errors.js';
import type { Log } from '../../../core/log.js';
import type { Executor, ExecutorEvent, ImageSource } from '../../../executor/executor.js';
import type { Instance } from '../../../executor/model.js';
import type { EventLine, ExitView, InstanceDetail, InstanceOrder, InstanceSummary } from '../schema/instances.js';
import { Hub } from './hub.js';
import { inventName } from './names.js';
import { specFrom, type OrderDefaults } from './order.js';
import type { App, AppRecords } from './record.js';
import { resolveRef } from './refs.js';
import { restartDelay, STEADY_MS } from './restart.js';
import { Serial } from './serial.js';
import { detail, statusOf, summarize, viewExit } from './view.js';

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
  readonly events = new Hub<EventLine>();
  readonly #apps = new Map<string, App>();
  /** Fires after every change of any app or machine. */
  readonly #changes = new Hub<void>();
  readonly #serial = new Serial();
  /** Restarts that wait for their back-off. */
  readonly #waiting = new Map<string, AbortController>();
  /** Their new machine is not yet the executor's. */
  readonly #booting = new Set<string>();
  readonly #readers = new Map<string, number>();
  #draining = false;
  #unsubscribe: () => void = () => undefined;

  constructor(private readonly deps: AppsDeps) {}

  /** Call once, after `executor.recover()`: finishes what ended while we were away, starts what should be up. */
  async recover(): Promise<void> {
    for (const app of await this.deps.records.load()) this.#apps.set(app.id, app);
    this.#unsubscribe = this.deps.executor.subscribe((event) => this.#onMachine(event));
    for (const app of this.#apps.values()) {
      void this.#serial.run(app.id, () => this.#resume(app)).catch((err: unknown) => this.#failed(app, err));
    }
  }

  /** Creates without starting. Throws name_in_use, image_*, bad_request. */
  async create(order: InstanceOrder): Promise<InstanceSummary> {
    const image = await this.deps.images.get(order.image);
    const defaults = await this.deps.defaults(order);
    const name = order.name ?? inventName((taken) => this.#named(taken) !== undefined, Math.random);
    const other = this.#named(name);
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
    this.#apps.set(app.id, app);
    try {
      await this.#save(app);
    } catch (err) {
      this.#apps.delete(app.id);
      throw err;
    }
    this.#tell(app, 'create');
    return this.#summary(app);
  }

  list(all: boolean): InstanceSummary[] {
    return [...this.#apps.values()]
      .map((app) => this.#summary(app))
      .filter((row) => all || (row.status !== 'exited' && row.status !== 'created'))
      .sort((a, b) => b.created_at - a.created_at);
  }

  inspect(ref: string, showEnv: boolean): InstanceDetail {
    const app = this.find(ref);
    const waiting = this.#comesBack(app);
    return detail(app, this.#machine(app), { waiting, showEnv, owner: this.deps.executor.owner });
  }

  /** `kernel`: an entry's id for this and later starts; `newest`: back to the newest of the image's abi. */
  start(ref: string, kernel?: string): Promise<InstanceSummary> {
    return this.#job(ref, async (app) => {
      if (this.#isUp(app)) return;
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
      this.#tell(app, 'restart');
    });
  }

  /** Not queued: a kill must reach a machine that is being stopped. */
  async kill(ref: string, signal: NodeJS.Signals): Promise<InstanceSummary> {
    const app = this.find(ref);
    if (app.key === undefined || !this.#isUp(app)) throw new UnikError('conflict', `${app.name} is not running`);
    await this.deps.executor.kill(app.key, signal);
    this.#tell(app, 'kill', signal);
    return this.#summary(app);
  }

  /** Removes app, logs and, with `force`, a machine that still runs. Throws conflict without it. */
  async remove(ref: string, force: boolean): Promise<InstanceSummary> {
    const found = this.find(ref);
    if (!force && this.#isUp(found)) throw new UnikError('conflict', `${found.name} is running`);
    if (force) {
      found.wanted = false;
      this.#cancelRestart(found);
      // Outside the queue, so that a long grace that is under way ends now.
      if (found.key !== undefined) await this.deps.executor.remove(found.key);
    }
    return this.#serial.run(found.id, async () => {
      const app = this.#apps.get(found.id);
      if (!app) throw new UnikError('not_found', `there is no instance "${ref}"`);
      if (!force && this.#isUp(app)) throw new UnikError('conflict', `${app.name} is running`);
      const last = this.#summary(app);
      await this.#erase(app);
      return last;
    });
  }

  /** Resolves when the state is reached; `undefined`: the app is gone. */
  wait(
    ref: string,
    until: 'exited' | 'running' | 'removed',
    signal: AbortSignal,
  ): Promise<InstanceSummary | undefined> {
    const app = this.find(ref);
    const close = until === 'removed' ? (): void => undefined : this.openReader(app);
    return this.#changes
      .until(() => {
        const gone = !this.#apps.has(app.id);
        if (gone) return { row: app.exit ? this.#summary(app) : undefined };
        if (until === 'removed') return undefined;
        const row = this.#summary(app);
        return this.#isOver(app) || (until === 'running' && row.status === 'running') ? { row } : undefined;
      }, signal)
      .then(({ row }) => row)
      .finally(close);
  }

  find(ref: string): App {
    return resolveRef(ref, [...this.#apps.values()]);
  }

  /** Apps whose template holds this image digest. */
  using(digest: string): App[] {
    return [...this.#apps.values()].filter((app) => app.template.image === digest);
  }

  /** While somebody reads an app's logs, an ended `--rm` app is kept. Give the result back when done. */
  openReader(app: App): () => void {
    this.#readers.set(app.id, (this.#readers.get(app.id) ?? 0) + 1);
    return () => {
      const left = (this.#readers.get(app.id) ?? 1) - 1;
      if (left > 0) this.#readers.set(app.id, left);
      else this.#readers.delete(app.id);
      this.#changes.emit();
    };
  }

  /** Key of the latest machine that the executor took; undefined while a new one is on its way there. */
  bootedKey(app: App): string | undefined {
    return this.#booting.has(app.id) ? undefined : app.key;
  }

  /** Resolves with the key of a machine of this app other than `seen`, or undefined when it is over for good. */
  async nextMachine(app: App, seen: string | undefined, signal: AbortSignal): Promise<string | undefined> {
    const next = await this.#changes.until<{ key?: string }>(() => {
      if (!this.#apps.has(app.id)) return {};
      const key = this.bootedKey(app);
      if (key !== undefined && key !== seen) return { key };
      return this.#isOver(app) ? {} : undefined;
    }, signal);
    return next.key;
  }

  /** `unik down`: ends every machine; those that should be up come back with the next daemon. */
  async drain(): Promise<number> {
    this.#draining = true;
    for (const app of this.#apps.values()) this.#cancelRestart(app);
    const up = [...this.#apps.values()].filter((app) => this.#isUp(app));
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
    for (const app of this.#apps.values()) this.#cancelRestart(app);
    await this.#serial.idle();
  }

  // --- one app's steps, each run inside its queue ---

  /** `retry`: a refusal is an end like any other, after which the policy decides; else it is the caller's. */
  async #boot(app: App, retry: boolean): Promise<void> {
    const { executor, clock } = this.deps;
    this.#booting.add(app.id);
    try {
      if (app.key !== undefined) await executor.remove(app.key);
      const key = randomUUID();
      app.key = key;
      app.started_at = clock.now();
      app.wanted = true;
      delete app.exit;
      // On disk before the machine exists: a crash between them leaves a key without a machine, never the reverse.
      await this.#save(app);
      this.#tell(app, 'start');
      await executor.run({ ...app.template, key, owner: executor.owner, name: app.name, log_id: app.id });
    } catch (err) {
      app.wanted = retry;
      const { code, message } = toUnikError(err);
      await this.#ended(app, { reason: 'start_failed', status: 125, error: code, message, at: clock.now() });
      throw err;
    } finally {
      this.#booting.delete(app.id);
      this.#changes.emit();
    }
  }

  async #halt(app: App, timeoutMs: number | undefined, options: { keep?: boolean } = {}): Promise<void> {
    if (app.key === undefined || !this.#isUp(app)) return;
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
    this.#tell(app, 'exit', exit.message);
    await this.#save(app);
    if (delay === undefined && app.auto_remove && options.keep !== true) this.#removeWhenRead(app);
  }

  async #resume(app: App): Promise<void> {
    const machine = this.#machine(app);
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
    this.#apps.delete(app.id);
    this.#tell(app, 'remove');
  }

  // --- what happens by itself ---

  #onMachine(event: ExecutorEvent): void {
    const app = this.#apps.get(event.log_id);
    if (!app || app.key !== event.key) return;
    if (event.type === 'running' || event.type === 'ready' || event.type === 'unready') this.#tell(app, event.type);
    else this.#changes.emit();
    if (event.type !== 'completed') return;
    const { exit } = event.instance;
    void this.#serial
      .run(app.id, async () => {
        if (app.key === event.key && this.#apps.has(app.id))
          await this.#ended(app, exit ? viewExit(exit) : this.#vanished());
      })
      .catch((err: unknown) => this.#failed(app, err));
  }

  #restartLater(app: App, delay: number): void {
    const waiting = new AbortController();
    this.#waiting.set(app.id, waiting);
    void this.deps.clock.sleep(delay, waiting.signal).then(
      () =>
        this.#serial.run(app.id, () => this.#restartNow(app, waiting)).catch((err: unknown) => this.#failed(app, err)),
      () => undefined, // cancelled by a stop, a start or our own end
    );
  }

  async #restartNow(app: App, waiting: AbortController): Promise<void> {
    if (waiting.signal.aborted || this.#waiting.get(app.id) !== waiting) return;
    this.#waiting.delete(app.id);
    app.restarts += 1;
    app.quick += 1;
    await this.#boot(app, true);
  }

  #cancelRestart(app: App): void {
    this.#waiting.get(app.id)?.abort();
    this.#waiting.delete(app.id);
  }

  #removeWhenRead(app: App): void {
    const read = this.#changes.until(
      () => (this.#readers.has(app.id) ? undefined : true),
      AbortSignal.timeout(LAST_READERS_MS),
    );
    const remove = (): Promise<void> =>
      this.#serial.run(app.id, async () => {
        if (this.#apps.has(app.id) && app.exit) await this.#erase(app);
      });
    read.then(remove, remove).catch((err: unknown) => this.#failed(app, err));
  }

  // --- small things ---

  async #job(ref: string, step: (app: App) => Promise<void>): Promise<InstanceSummary> {
    const { id } = this.find(ref);
    return this.#serial.run(id, async () => {
      const app = this.#apps.get(id);
      if (!app) throw new UnikError('not_found', `there is no instance "${ref}"`);
      await step(app);
      return this.#summary(app);
    });
  }

  #named(name: string): App | undefined {
    return [...this.#apps.values()].find((app) => app.name === name);
  }

  #machine(app: App): Instance | undefined {
    return app.key === undefined ? undefined : this.deps.executor.get(app.key);
  }

  #summary(app: App): InstanceSummary {
    return summarize(app, this.#machine(app), this.#comesBack(app));
  }

  #isUp(app: App): boolean {
    const status = statusOf(app, this.#machine(app), false);
    return status === 'starting' || status === 'running' || status === 'stopping';
  }

  /** Its next machine is near: the restart waits for its back-off, or is under way. */
  #comesBack(app: App): boolean {
    return this.#waiting.has(app.id) || this.#booting.has(app.id);
  }

  #isOver(app: App): boolean {
    return app.exit !== undefined && !this.#comesBack(app);
  }

  #vanished(): ExitView {
    return { reason: 'killed', status: 137, message: 'the machine was gone', at: this.deps.clock.now() };
  }

  #save(app: App): Promise<void> {
    return this.deps.records.save(app);
  }

  #tell(app: App, type: string, text?: string): void {
    this.events.emit({
      at: this.deps.clock.now(),
      type,
      id: app.id,
      name: app.name,
      ...(text !== undefined ? { detail: text } : {}),
    });
    this.#changes.emit();
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
