/**
 * Docker's shapes over one-way machines: an *app* is created once, and each of its starts is a new machine with a
 * fresh key. Its id, name, logs and restart policy live as long as the app. One job at a time per app.
 */
import { randomBytes } from 'node:crypto';
import { UnikError } from '../../../core/errors.js';
import type { ExecutorEvent, ImageSource } from '../../../executor/executor.js';
import type { InstanceOrder, InstanceSummary } from '../schema/instances.js';
import { Board } from './board.js';
import { inventName } from './names.js';
import { specFrom, type OrderDefaults } from './order.js';
import type { App } from './record.js';
import { Steps, type StepsDeps } from './steps.js';

export interface AppsDeps extends StepsDeps {
  images: ImageSource;
  /** Looked up at each create: the accelerator is known only after a probe. */
  defaults: (order: InstanceOrder) => Promise<OrderDefaults>;
}

export class Apps {
  readonly board: Board;
  readonly #steps: Steps;
  #unsubscribe: () => void = () => undefined;

  constructor(private readonly deps: AppsDeps) {
    this.board = new Board(deps.executor, deps.clock);
    this.#steps = new Steps(this.board, deps);
  }

  /** Call once, after `executor.recover()`: finishes what ended while we were away, starts what should be up. */
  async recover(): Promise<void> {
    for (const app of await this.deps.records.load()) this.board.apps.set(app.id, app);
    this.#unsubscribe = this.deps.executor.subscribe((event) => this.#onMachine(event));
    for (const app of this.board.apps.values()) this.#steps.soon(app, () => this.#steps.resume(app));
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
      await this.#steps.save(app);
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
      this.#steps.cancelRestart(app);
      app.restarts = 0;
      app.quick = 0;
      chooseKernel(app, kernel);
      await this.#steps.boot(app, false);
    });
  }

  stop(ref: string, timeoutMs?: number): Promise<InstanceSummary> {
    return this.#job(ref, async (app) => {
      this.#steps.cancelRestart(app);
      app.wanted = false;
      await this.#steps.save(app);
      await this.#steps.halt(app, timeoutMs);
    });
  }

  restart(
    ref: string,
    options: { timeout_ms?: number | undefined; kernel?: string | undefined },
  ): Promise<InstanceSummary> {
    return this.#job(ref, async (app) => {
      this.#steps.cancelRestart(app);
      chooseKernel(app, options.kernel);
      const restarts = app.restarts;
      app.wanted = false;
      await this.#steps.halt(app, options.timeout_ms, { keep: true });
      app.restarts = restarts;
      app.quick = 0;
      await this.#steps.boot(app, false);
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
      this.#steps.cancelRestart(found);
      // Outside the queue, so that a long grace that is under way ends now.
      if (found.key !== undefined) await this.deps.executor.remove(found.key);
    }
    return this.#steps.inTurn(found.id, async () => {
      const app = this.board.apps.get(found.id);
      if (!app) throw new UnikError('not_found', `there is no instance "${ref}"`);
      if (!force && this.board.isUp(app)) throw new UnikError('conflict', `${app.name} is running`);
      const last = this.board.summary(app);
      await this.#steps.erase(app);
      return last;
    });
  }

  /** `unik down`: ends every machine; those that should be up come back with the next daemon. */
  async drain(): Promise<number> {
    this.#steps.endRestarts();
    const up = [...this.board.apps.values()].filter((app) => this.board.isUp(app));
    const halts = up.map((app) => this.#steps.inTurn(app.id, () => this.#steps.halt(app, undefined)));
    const results = await Promise.allSettled(halts);
    for (const result of results) if (result.status === 'rejected') throw result.reason;
    return up.length;
  }

  /** Ends our timers; machines stay. */
  async close(): Promise<void> {
    this.#unsubscribe();
    this.#steps.endRestarts();
    await this.#steps.idle();
  }

  #onMachine(event: ExecutorEvent): void {
    const app = this.board.apps.get(event.log_id);
    if (!app || app.key !== event.key) return;
    if (event.type === 'running' || event.type === 'ready' || event.type === 'unready')
      this.board.tell(app, event.type);
    else this.board.changed();
    if (event.type !== 'completed') return;
    const { exit } = event.instance;
    this.#steps.soon(app, async () => {
      if (app.key === event.key && this.board.apps.has(app.id)) await this.#steps.machineEnded(app, exit);
    });
  }

  async #job(ref: string, step: (app: App) => Promise<void>): Promise<InstanceSummary> {
    const { id } = this.board.find(ref);
    return this.#steps.inTurn(id, async () => {
      const app = this.board.apps.get(id);
      if (!app) throw new UnikError('not_found', `there is no instance "${ref}"`);
      await step(app);
      return this.board.summary(app);
    });
  }
}

function chooseKernel(app: App, kernel: string | undefined): void {
  if (kernel === undefined) return;
  if (kernel === 'newest') delete app.template.kernel;
  else app.template.kernel = kernel;
}
