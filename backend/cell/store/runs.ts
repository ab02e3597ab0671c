import type { Stager } from '../../../stager/staging/stage.js';
import type { RunOrder } from '../model.js';
import type { Entries, EntriesDeps, Entry } from './entries.js';
import { GRACE_MS } from './spec.js';
import { stageIt } from './staging.js';
import { failureOf, startMachine, type StarterDeps } from './starter.js';
import { endOf } from './state.js';

export interface RunsDeps extends Omit<StarterDeps, 'executor'>, EntriesDeps {
  /** Carries out staging tasks; where it is missing, convert refuses them. */
  stager?: Stager;
}

/** What containers do, in the background: machines and staging tasks, from their order to their end. */
export class Runs {
  constructor(
    private readonly entries: Entries,
    private readonly deps: RunsDeps,
    private readonly closed: AbortSignal,
  ) {}

  /** Fetches and boots, or stages. */
  begin(entry: Entry, order: RunOrder): void {
    const enough = new AbortController();
    entry.start = enough;
    if (order.staging) {
      entry.staging = this.#stage(entry, order, enough.signal);
      this.entries.background('container.staging-failed', entry.guid, entry.staging);
    } else {
      this.entries.background('container.start-failed', entry.guid, this.#start(entry, order, enough.signal));
    }
  }

  /** Tells what its machine says, to the machine's end. */
  follow({ guid, narrator }: Entry): void {
    narrator?.follow(() => {
      const entry = this.entries.get(guid);
      return entry && endOf(entry.record, this.deps.executor.get(guid));
    });
  }

  halt(guid: string): void {
    const { executor } = this.deps;
    // Not there yet: it is stopped as soon as it is.
    if (!executor.get(guid)) return;
    this.entries.background('container.stop-failed', guid, executor.stop(guid, GRACE_MS));
  }

  async clearAway(guid: string): Promise<void> {
    const { executor } = this.deps;
    await executor.remove(guid);
    await executor.removeLogs(guid);
  }

  /** In place of a machine: from its beginning to its end. */
  async #stage(entry: Entry, order: RunOrder, signal: AbortSignal): Promise<void> {
    const { entries, deps } = this;
    const { guid } = entry;
    const { reservation } = entry.record;
    const narrator = entries.narrate(entry, order);
    const began = (): void => {
      entries.change(entry, { began_at: deps.clock.now() });
      entries.refresh(guid);
    };
    try {
      await entries.save(entry);
      signal.throwIfAborted();
      entries.complete(entry, await stageIt({ reservation, order, narrator, began }, deps, signal));
    } catch (err) {
      // Closing called it off: the next process tells that it was interrupted.
      if (this.closed.aborted) return;
      if (!entry.record.stopped) deps.log.warn({ err, guid }, 'container.not-staged');
      if (entry.view.state === 'running') {
        entries.complete(entry, { failed: true, reason: 'cancelled', retryable: false });
      } else {
        entries.completeUnstarted(entry);
      }
    } finally {
      delete entry.start;
    }
  }

  async #start(entry: Entry, order: RunOrder, signal: AbortSignal): Promise<void> {
    const { entries, deps } = this;
    const { guid } = entry;
    const narrator = entries.narrate(entry, order);
    try {
      // No machine without a record of its container.
      await entries.save(entry);
      signal.throwIfAborted();
      await startMachine({ reservation: entry.record.reservation, order, narrator }, deps, signal);
      entries.refresh(guid);
      this.follow(entry);
      if (entry.record.stopped) this.halt(guid);
    } catch (err) {
      // Closing called it off: the next process starts it.
      if (this.closed.aborted) return;
      deps.log.warn({ err, guid }, 'container.not-started');
      if (entry.record.stopped) entries.completeUnstarted(entry);
      else entries.complete(entry, failureOf(err, guid, order.logs.source, narrator, deps.words));
    } finally {
      delete entry.start;
    }
  }
}
