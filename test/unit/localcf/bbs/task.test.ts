import { describe, expect, test } from '@jest/globals';
import type { Task } from '../../../../localcf/bbs/model.js';
import { callbackBody } from '../../../../localcf/bbs/callback.js';
import { aDefinition, Rules } from '../../../support/rules.js';

const SECOND = 1_000;
const outcome = { failed: false, failure_reason: '', result: 'r' };

function desired(completion_callback_url = ''): Rules {
  const rules = new Rules();
  rules.call('desire_task', { task_guid: 't', domain: 'd', task_definition: aDefinition({ completion_callback_url }) });
  return rules;
}

const start = (rules: Rules, cell_id = 'cell-a'): unknown => rules.call('start_task', { task_guid: 't', cell_id });
const complete = (rules: Rules): unknown =>
  rules.call('complete_task', { task_guid: 't', cell_id: 'cell-a', ...outcome });
const reject = (rules: Rules): unknown => rules.call('reject_task', { task_guid: 't', rejection_reason: 'no room' });
const seen = (rules: Rules): Task | undefined => rules.state.tasks.get('t');

describe('the life of a task (bbs controllers/task_controller.go)', () => {
  test('desired, started once, completed, resolved, deleted', () => {
    const rules = desired('https://cc.test/done');
    expect(rules.done()).toEqual(['auction t']);
    expect([start(rules), start(rules)]).toEqual([{ should_start: true }, { should_start: false }]);
    complete(rules);
    expect(seen(rules)).toMatchObject({ state: 'Completed', cell_id: '', result: 'r', failed: false });
    expect(rules.done()).toEqual(['callback t']);
    rules.call('resolving_task', { task_guid: 't' });
    rules.call('delete_task', { task_guid: 't' });
    expect(seen(rules)).toBeUndefined();
    expect(rules.told('tasks')).toEqual(['task_created', ...Array<string>(3).fill('task_changed'), 'task_removed']);
  });

  test('without a callback address nobody is called', () => {
    const rules = desired();
    start(rules);
    rules.done();
    complete(rules);
    expect(rules.done()).toEqual([]);
  });

  test('cancelled: failed at once, its cell is told, its client too', () => {
    const rules = desired('https://cc.test/done');
    start(rules);
    rules.done();
    rules.call('cancel_task', { task_guid: 't' });
    expect(seen(rules)).toMatchObject({ state: 'Completed', failed: true, failure_reason: 'task was cancelled' });
    expect(rules.done()).toEqual(['callback t', 'cancel t on cell-a']);
  });

  test('the fourth rejection ends it with the reason of the auction', () => {
    const rules = desired();
    const states = [1, 2, 3, 4].map(() => {
      reject(rules);
      const { state, rejection_count } = seen(rules) ?? {};
      return [state, rejection_count];
    });
    expect(states).toEqual([
      ['Pending', 1],
      ['Pending', 2],
      ['Pending', 3],
      ['Completed', 4],
    ]);
    expect(seen(rules)).toMatchObject({ failed: true, failure_reason: 'no room' });
  });

  test('a callback body holds the time to the nanosecond', () => {
    const rules = desired();
    const task = { ...(seen(rules) as Task), created_at: 1_795_440_380_834_918_469n };
    expect(callbackBody(task)).toBe(
      '{"task_guid":"t","failed":false,"failure_reason":"","result":"","created_at":1795440380834918469}',
    );
  });
});

describe('convergence of tasks (bbs db/sqldb/task_convergence.go)', () => {
  test('a pending one is auctioned every time, until it is too old', () => {
    const rules = desired('https://cc.test/done');
    rules.done();
    rules.converge();
    expect(rules.done()).toEqual(['auction t']);
    rules.later(1_801 * SECOND);
    rules.converge();
    expect(seen(rules)).toMatchObject({ state: 'Completed', failure_reason: 'not started within time limit' });
    expect(rules.done()).toEqual([]);
    rules.later(31 * SECOND);
    rules.converge();
    expect(rules.done()).toEqual(['callback t']);
  });

  test('one on a cell that is gone fails', () => {
    const rules = desired();
    start(rules);
    rules.converge();
    expect(seen(rules)?.state).toBe('Running');
    rules.cells.clear();
    rules.converge();
    expect(seen(rules)).toMatchObject({ failed: true, failure_reason: 'cell disappeared before completion' });
  });

  test('one that is stuck in resolving is called back again', () => {
    const rules = desired('https://cc.test/done');
    start(rules);
    complete(rules);
    rules.call('resolving_task', { task_guid: 't' });
    rules.done();
    rules.converge();
    expect([seen(rules)?.state, rules.done()]).toEqual(['Resolving', []]);
    rules.later(31 * SECOND);
    rules.converge();
    expect([seen(rules)?.state, rules.done()]).toEqual(['Completed', ['callback t']]);
  });

  test('a completed one is deleted after two minutes', () => {
    const rules = desired();
    start(rules);
    complete(rules);
    rules.later(119 * SECOND);
    rules.converge();
    expect(seen(rules)).toBeDefined();
    rules.later(2 * SECOND);
    rules.converge();
    expect(seen(rules)).toBeUndefined();
  });
});
