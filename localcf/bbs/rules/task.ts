/** The life of a task (bbs controllers/task_controller.go, db/sqldb/task_db.go). */
import type { Draft } from '../draft.js';
import { BAD_REQUEST, EXISTS, NOT_FOUND, Refusal, type Task, type TaskDefinition } from '../model.js';
import { taskEvents } from './events.js';
import { taskStart } from './starts.js';
import { cut } from './text.js';

function taskOf(draft: Draft, task_guid: string): Task {
  const task = draft.state.tasks.get(task_guid);
  if (!task) throw NOT_FOUND();
  return task;
}

const cannot = (task: Task, to: Task['state']): Refusal =>
  new Refusal('InvalidStateTransition', `Cannot transition from ${task.state} to ${to}`);

function put(draft: Draft, before: Task | undefined, after: Task): Task {
  draft.putTask(after);
  draft.events.push(...taskEvents(before, after));
  return after;
}

export function desireTask(draft: Draft, definition: TaskDefinition, task_guid: string, domain: string): void {
  if (draft.state.tasks.has(task_guid)) throw EXISTS();
  put(draft, undefined, {
    ...{ task_definition: definition, task_guid, domain },
    ...{ created_at: draft.now, updated_at: draft.now, first_completed_at: 0n },
    ...{ state: 'Pending', cell_id: '', result: '', failed: false, failure_reason: '' },
    ...{ rejection_count: 0, rejection_reason: '' },
  });
  draft.effects.push({ do: 'auction_tasks', tasks: [taskStart(task_guid, domain, definition)] });
}

/** Whether the cell is to run it. */
export function startTask(draft: Draft, task_guid: string, cell_id: string): boolean {
  const task = taskOf(draft, task_guid);
  if (draft.policy.repeatedTaskStart(task, cell_id)) return false;
  if (!draft.policy.mayStartTask(task)) throw cannot(task, 'Running');
  put(draft, task, { ...task, state: 'Running', cell_id, updated_at: draft.now });
  return true;
}

export interface Outcome {
  failed: boolean;
  failure_reason: string;
  result: string;
}

export function completeTask(draft: Draft, task_guid: string, cell_id: string, outcome: Outcome): void {
  const task = taskOf(draft, task_guid);
  if (draft.policy.completionNeedsCell && task.state === 'Running' && task.cell_id !== cell_id)
    throw new Refusal('RunningOnDifferentCell', `Running on cell ${task.cell_id} not ${cell_id}`);
  if (!draft.policy.mayCompleteTask(task)) throw cannot(task, 'Completed');
  finish(draft, task, outcome);
}

function finish(draft: Draft, task: Task, outcome: Outcome): void {
  const failure_reason = cut(outcome.failure_reason, draft.policy.longestReason);
  const stamps = { updated_at: draft.now, first_completed_at: draft.now };
  const after = put(draft, task, { ...task, ...outcome, failure_reason, ...stamps, state: 'Completed', cell_id: '' });
  if (after.task_definition?.completion_callback_url) draft.effects.push({ do: 'task_callback', task: after });
}

export function cancelTask(draft: Draft, task_guid: string): void {
  const { policy, around } = draft;
  const task = taskOf(draft, task_guid);
  if (!policy.mayCancelTask(task)) throw cannot(task, 'Completed');
  finish(draft, task, { failed: true, failure_reason: policy.cancelledTaskReason, result: '' });
  const cell = around.cells.get(task.cell_id);
  if (cell && policy.cancelReachesCell) draft.effects.push({ do: 'cancel_task', cell, task_guid });
}

/** Deprecated: from Pending or Running to failed. */
export function failTask(draft: Draft, task_guid: string, failure_reason: string): void {
  const task = taskOf(draft, task_guid);
  if (!draft.policy.mayCancelTask(task)) throw cannot(task, 'Completed');
  finish(draft, task, { failed: true, failure_reason, result: '' });
}

/** No cell took it: it waits for the next auction, or has been refused too often. */
export function rejectTask(draft: Draft, task_guid: string, reason: string): void {
  const { policy } = draft;
  const task = taskOf(draft, task_guid);
  const last = task.rejection_count >= policy.maxTaskRetries;
  if (!policy.mayRejectTask(task)) throw last ? cannot(task, 'Completed') : BAD_REQUEST();
  const rejected: Task = {
    ...task,
    rejection_count: task.rejection_count + 1,
    rejection_reason: cut(reason, policy.longestReason),
    state: 'Pending',
    updated_at: draft.now,
  };
  if (last) finish(draft, draft.putTask(rejected), { failed: true, failure_reason: reason, result: '' });
  else put(draft, task, rejected);
}

export function resolvingTask(draft: Draft, task_guid: string): void {
  const task = taskOf(draft, task_guid);
  if (!draft.policy.mayResolveTask(task)) throw cannot(task, 'Resolving');
  put(draft, task, { ...task, state: 'Resolving', updated_at: draft.now });
}

export function deleteTask(draft: Draft, task_guid: string): void {
  const task = taskOf(draft, task_guid);
  if (!draft.policy.mayDeleteTask(task)) throw cannot(task, 'Resolving');
  draft.dropTask(task_guid);
  draft.events.push(...taskEvents(task, undefined));
}
