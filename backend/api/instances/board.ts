import type { Clock } from '../../../core/clock.js';
import { Holds } from '../../../core/holds.js';
import type { Executor } from '../../../executor/executor.js';
import type { Instance } from '../../../executor/model.js';
import type { EventLine, InstanceDetail, InstanceSummary } from '../schema/instances.js';
import { Hub } from './hub.js';
import type { App } from './record.js';
import { resolveRef } from './refs.js';
import { detail, statusOf, summarize } from './view.js';

/** Which apps there are and how they stand: everybody reads it, waits on it, and only `Apps` changes it. */
export class Board {
  readonly events = new Hub<EventLine>();
  readonly apps = new Map<string, App>();
  /** Restarts that wait for their back-off, by app id. */
  readonly waiting = new Map<string, AbortController>();
  /** Ids of apps whose new machine is not yet the executor's. */
  readonly booting = new Set<string>();
  /** Apps whose logs are being read, by id. */
  readonly #readers = new Holds();
  /** Fires after every change of any app or machine. */
  readonly #changes = new Hub<void>();

  constructor(
    private readonly executor: Executor,
    private readonly clock: Clock,
  ) {}

  /** Throws not_found, name_ambiguous. */
  find(ref: string): App {
    return resolveRef(ref, [...this.apps.values()]);
  }

  named(name: string): App | undefined {
    return [...this.apps.values()].find((app) => app.name === name);
  }

  /** Apps whose template holds this image digest. */
  using(digest: string): App[] {
    return [...this.apps.values()].filter((app) => app.template.image === digest);
  }

  /** Newest first; those that do not run only with `all`. */
  list(all: boolean): InstanceSummary[] {
    return [...this.apps.values()]
      .map((app) => this.summary(app))
      .filter((row) => all || (row.status !== 'exited' && row.status !== 'created'))
      .sort((a, b) => b.created_at - a.created_at);
  }

  inspect(ref: string, showEnv: boolean): InstanceDetail {
    const app = this.find(ref);
    const { owner } = this.executor;
    return detail(app, this.machine(app), { waiting: this.#comesBack(app), showEnv, owner });
  }

  summary(app: App): InstanceSummary {
    return summarize(app, this.machine(app), this.#comesBack(app));
  }

  machine(app: App): Instance | undefined {
    return app.key === undefined ? undefined : this.executor.get(app.key);
  }

  isUp(app: App): boolean {
    const status = statusOf(app, this.machine(app), false);
    return status === 'starting' || status === 'running' || status === 'stopping';
  }

  /** It has ended and nothing will start it again by itself. */
  isOver(app: App): boolean {
    return app.exit !== undefined && !this.#comesBack(app);
  }

  /** Key of the latest machine that the executor took; undefined while a new one is on its way there. */
  bootedKey(app: App): string | undefined {
    return this.booting.has(app.id) ? undefined : app.key;
  }

  /** Resolves when the state is reached, or the app is over; `undefined`: it is gone and never ran. */
  async wait(
    ref: string,
    until: 'exited' | 'running' | 'removed',
    signal: AbortSignal,
  ): Promise<InstanceSummary | undefined> {
    const app = this.find(ref);
    // Who waits for the end of a `--rm` app must still be told of it; who waits for its removal must not delay it.
    const close = until === 'removed' ? (): void => undefined : this.openReader(app);
    try {
      const { row } = await this.#changes.until<{ row: InstanceSummary | undefined }>(() => {
        if (!this.apps.has(app.id)) return { row: app.exit ? this.summary(app) : undefined };
        if (until === 'removed') return undefined;
        const row = this.summary(app);
        return this.isOver(app) || (until === 'running' && row.status === 'running') ? { row } : undefined;
      }, signal);
      return row;
    } finally {
      close();
    }
  }

  /** Resolves with the key of a machine of this app other than `seen`, or undefined when it is over for good. */
  async nextMachine(app: App, seen: string | undefined, signal: AbortSignal): Promise<string | undefined> {
    const next = await this.#changes.until<{ key?: string }>(() => {
      if (!this.apps.has(app.id)) return {};
      const key = this.bootedKey(app);
      if (key !== undefined && key !== seen) return { key };
      return this.isOver(app) ? {} : undefined;
    }, signal);
    return next.key;
  }

  /** As long as somebody reads an app's logs, an ended `--rm` app is kept. The result ends it. */
  openReader(app: App): () => void {
    const close = this.#readers.take(app.id);
    return () => {
      close();
      this.changed();
    };
  }

  /** Resolves when nobody reads it any more; rejects by the signal. */
  async unread(app: App, signal: AbortSignal): Promise<void> {
    await this.#changes.until(() => (this.#readers.has(app.id) ? undefined : true), signal);
  }

  /** Lets those who wait look again. */
  changed(): void {
    this.#changes.emit();
  }

  /** An event for people and programs, and a change. */
  tell(app: App, type: string, text?: string): void {
    const { id, name } = app;
    this.events.emit({ at: this.clock.now(), type, id, name, ...(text !== undefined ? { detail: text } : {}) });
    this.changed();
  }

  /** Its next machine is near: the restart waits for its back-off, or is under way. */
  #comesBack(app: App): boolean {
    return this.waiting.has(app.id) || this.booting.has(app.id);
  }
}
