import { BbsError } from '../../../backend/wire/bbs.js';
import type { Task } from '../model.js';
import { appTask, TASKS_DOMAIN } from '../recipes/app-task.js';
import { freshen } from './domain.js';
import { taskFacts } from './gather.js';
import type { SyncOptions } from './sync.js';

/** Desires tasks of apps, cancels those that are to end, and learns which the BBS has lost. */
export async function syncTasks({ store, bbs, places, log }: SyncOptions, signal: AbortSignal): Promise<void> {
  // Those that are rows now: one that is made later may be missing in the list, and is none of this pass.
  const rows = store.task.filter(({ state }) => state === 'PENDING' || state === 'RUNNING' || state === 'CANCELING');
  const { tasks } = await bbs.call('tasks', { domain: TASKS_DOMAIN }, { signal });
  const there = new Map(tasks.map((task) => [task.task_guid, task]));
  for (const row of rows) {
    const known = there.get(row.guid);
    const now = store.task.get(row.guid);
    if (!now || now.state === 'SUCCEEDED' || now.state === 'FAILED') continue;
    if (known) {
      if (now.state === 'CANCELING' && (known.state === 'Pending' || known.state === 'Running')) {
        await bbs.call('cancel_task', { task_guid: row.guid }, { signal });
      } else if (now.state === 'PENDING') store.change((tx) => tx.update('task', row.guid, { state: 'RUNNING' }));
    } else if (now.state === 'PENDING') await desireTask({ store, bbs, places, log }, now, signal);
    else
      store.change((tx) =>
        tx.update('task', row.guid, { state: 'FAILED', failure_reason: 'The BBS no longer knows of this task' }),
      );
  }
  for (const { task_guid, state } of tasks) {
    if (!store.task.get(task_guid) && (state === 'Pending' || state === 'Running')) {
      await bbs.call('cancel_task', { task_guid }, { signal }).catch(ignoreGone);
    }
  }
  await freshen(bbs, TASKS_DOMAIN, signal);
}

async function desireTask(
  { store, bbs, places, log }: Pick<SyncOptions, 'store' | 'bbs' | 'places' | 'log'>,
  task: Task,
  signal: AbortSignal,
): Promise<void> {
  const facts = taskFacts(store, task);
  try {
    if (!facts) throw new BbsError('InvalidRequest', 'its application or its droplet is gone');
    await bbs.call(
      'desire_task',
      { task_guid: task.guid, domain: TASKS_DOMAIN, task_definition: appTask(facts, places) },
      { signal },
    );
    log.info({ task_guid: task.guid }, 'sync.task-desired');
  } catch (err) {
    if (!(err instanceof BbsError)) throw err;
    if (err.type !== 'ResourceExists') {
      store.change((tx) => tx.update('task', task.guid, { state: 'FAILED', failure_reason: err.message }));
      return;
    }
  }
  if (store.task.get(task.guid)?.state === 'PENDING') {
    store.change((tx) => tx.update('task', task.guid, { state: 'RUNNING' }));
  }
}

function ignoreGone(err: unknown): void {
  if (!(err instanceof BbsError && err.type === 'ResourceNotFound')) throw err;
}
