/** Effects of the rules, done: calls to cells, auctions, callbacks. */
import type { Log } from '../../core/log.js';
import type { Auctioneer } from '../auction/auctioneer.js';
import type { CellClient } from '../auction/cell-client.js';
import type { CallbackClient } from './callback.js';
import type { Engine } from './engine.js';
import { Refusal, type Effect, type Task } from './model.js';
import type { Policy } from './rules/policy.js';
import { deleteTask, resolvingTask } from './rules/task.js';

export interface PerformParts {
  auctioneer: Auctioneer;
  cells: CellClient;
  callbacks: CallbackClient;
  policy: Policy;
  log: Log;
  /** For what a callback leads to. */
  run: Engine['run'];
}

type Doers = { [K in Effect['do']]: (effect: Extract<Effect, { do: K }>, trace: string) => Promise<void> };

export function createPerform(parts: PerformParts): (effect: Effect, trace: string) => Promise<void> {
  const { auctioneer, cells, policy } = parts;
  const doers: Doers = {
    auction_lrps: async ({ starts }, trace) => auctioneer.auction(starts, [], trace),
    auction_tasks: async ({ tasks }, trace) => auctioneer.auction([], tasks, trace),
    stop: async ({ cell, key, instance }, trace) => {
      for (let attempt = 1; ; attempt++) {
        try {
          await cells.stop(cell, key, instance, trace);
          return;
        } catch (err) {
          if (attempt >= policy.stopAttempts) throw err;
        }
      }
    },
    update: ({ cell, key, instance, routes, tags }, trace) =>
      cells.update(cell, { key, instance, ...(routes && { routes }), ...(tags && { tags }) }, trace),
    cancel_task: ({ cell, task_guid }, trace) => cells.cancelTask(cell, task_guid, trace),
    task_callback: ({ task }) => callBack(parts, task),
  };
  return (effect, trace) => (doers[effect.do] as (effect: Effect, trace: string) => Promise<void>)(effect, trace);
}

/** Resolving while its client is told, gone afterwards; a task that another took up meanwhile is left to it. */
async function callBack({ callbacks, run, log }: PerformParts, { task_guid }: Task): Promise<void> {
  try {
    const task = await run('', (draft) => {
      resolvingTask(draft, task_guid);
      return draft.state.tasks.get(task_guid);
    });
    if (task && (await callbacks.tell(task))) await run('', (draft) => deleteTask(draft, task_guid));
  } catch (err) {
    if (!(err instanceof Refusal)) throw err;
    log.debug({ task_guid, reason: err.message }, 'bbs.callback-overtaken');
  }
}
