/**
 * Commands in, one at a time: a rule changes the rows, the journal keeps the change, and only then are its events told,
 * its effects begun and its caller answered.
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../core/clock.js';
import type { Log } from '../../core/log.js';
import type { Journal } from '../journal.js';
import { Draft } from './draft.js';
import type { Hub } from './hub.js';
import type { Entry } from './entries.js';
import { Refusal, type CellPresence, type Effect } from './model.js';
import type { Policy } from './rules/policy.js';
import type { State } from './state.js';

export interface EngineParts {
  state: State;
  journal: Journal<Entry>;
  hub: Hub;
  policy: Policy;
  clock: Clock;
  log: Log;
  cells: () => ReadonlyMap<string, CellPresence>;
  /** Rejects with what the caller is to be told, where the effect says `reported`. */
  perform: (effect: Effect, trace: string) => Promise<void>;
}

export class Engine {
  readonly #running = new Set<Promise<void>>();
  /** Milliseconds; never the same twice and never back, as a row's `since` should be. */
  #last_ms = 0;

  constructor(private readonly parts: EngineParts) {}

  /** What `work` returns, once its change is on disk. Throws the Refusal that it threw, or that an effect reported. */
  async run<T>(trace: string, work: (draft: Draft) => T): Promise<T> {
    const { state, journal, hub, policy, cells } = this.parts;
    const around = { policy, now_ms: this.#now(), uuid: randomUUID, cells: cells(), trace };
    const draft = new Draft(state, around);
    let result: T;
    try {
      result = work(draft);
    } catch (err) {
      draft.takeBack();
      throw err;
    }
    journal.append(draft.changes);
    await journal.settled();
    hub.publish(draft.events);
    await this.#begin(draft.effects, trace);
    return result;
  }

  /** Resolves when no effect runs any more. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled([...this.#running]);
  }

  #now(): number {
    this.#last_ms = Math.max(this.parts.clock.now(), this.#last_ms + 0.001);
    return this.#last_ms;
  }

  async #begin(effects: readonly Effect[], trace: string): Promise<void> {
    const reported: Promise<void>[] = [];
    for (const effect of effects) {
      const performed = this.parts.perform(effect, trace);
      const tracked = performed.catch((err: unknown) =>
        this.parts.log.warn({ err, effect: effect.do }, 'bbs.effect-failed'),
      );
      const running = tracked.finally(() => this.#running.delete(running));
      this.#running.add(running);
      if (effect.do === 'stop' && effect.reported) reported.push(performed);
    }
    try {
      await Promise.all(reported);
    } catch (err) {
      throw new Refusal('UnknownError', err instanceof Error ? err.message : String(err));
    }
  }
}
