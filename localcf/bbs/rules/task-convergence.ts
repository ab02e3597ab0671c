/** What is made right again from time to time, tasks (bbs db/sqldb/task_convergence.go). */
import type { Draft } from '../draft.js';
import type { Task } from '../model.js';
import { taskEvents } from './events.js';
import { taskStart } from './starts.js';

export interface TaskTimes {
  /** A completed task's callback is sent again after this long. */
  kick_task_ms: number;
  expire_pending_task_ms: number;
  expire_completed_task_ms: number;
}

/** In Diego's order: one step sees what the step before did. */
export function convergeTasks(draft: Draft, times: TaskTimes): void {
  const { policy } = draft;
  const cells = draft.around.cells;
  const expired = (task: Task): boolean => draft.ageMs(task.created_at) > times.expire_pending_task_ms;
  for (const task of in_(draft, 'Pending')) if (expired(task)) giveUp(draft, task, policy.expiredTaskReason);
  const pending = in_(draft, 'Pending');
  for (const task of in_(draft, 'Running')) {
    if (policy.failsTasksOfMissingCells && !cells.has(task.cell_id)) giveUp(draft, task, policy.missingCellTaskReason);
  }
  for (const task of in_(draft, 'Resolving')) {
    if (draft.ageMs(task.updated_at) > times.kick_task_ms) change(draft, task, { ...task, state: 'Completed' });
  }
  for (const task of in_(draft, 'Completed')) {
    if (draft.ageMs(task.first_completed_at) > times.expire_completed_task_ms) {
      draft.dropTask(task.task_guid);
      draft.events.push(...taskEvents(task, undefined));
    } else if (draft.ageMs(task.updated_at) > times.kick_task_ms && task.task_definition?.completion_callback_url) {
      draft.effects.push({ do: 'task_callback', task });
    }
  }
  const tasks = pending.flatMap((task) =>
    task.task_definition ? [taskStart(task.task_guid, task.domain, task.task_definition)] : [],
  );
  if (tasks.length > 0 && policy.auctionsPendingTasks) draft.effects.push({ do: 'auction_tasks', tasks });
}

const in_ = (draft: Draft, state: Task['state']): Task[] =>
  [...draft.state.tasks.values()].filter((task) => task.state === state);

/** No callback yet: that follows once kick_task_ms have passed. */
function giveUp(draft: Draft, task: Task, failure_reason: string): void {
  const stamps = { updated_at: draft.now, first_completed_at: draft.now };
  change(draft, task, { ...task, ...stamps, state: 'Completed', failed: true, failure_reason, result: '' });
}

function change(draft: Draft, before: Task, after: Task): void {
  draft.putTask(after);
  draft.events.push(...taskEvents(before, after));
}
