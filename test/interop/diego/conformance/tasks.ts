import { expect } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import type { Sent } from '../../../../backend/wire/codec.js';
import type { Messages } from '../../../../protos/generated.js';
import type { Bench } from './bench.js';
import type { Case } from './case.js';

const DB = 'bbs db/sqldb/task_db.go';
const CONTROLLER = 'bbs controllers/task_controller.go';
const CALLBACK = 'bbs taskworkpool/taskcallback.go';
const MODEL = 'bbs models/task.go Validate';

/** Names the task for a cell that need not exist: nothing converges. */
const CELL = 'cell-of-the-task';

type Step = (t: Bench, task_guid: string) => Promise<unknown>;

const start: Step = (t, task_guid) => t.bbs.call('start_task', { task_guid, cell_id: CELL });
const complete: Step = (t, task_guid) =>
  t.bbs.call('complete_task', { task_guid, cell_id: CELL, failed: false, failure_reason: '', result: 'done' });
const cancel: Step = (t, task_guid) => t.bbs.call('cancel_task', { task_guid });
const reject: Step = (t, task_guid) => t.bbs.call('reject_task', { task_guid, rejection_reason: 'no room' });
const fail: Step = (t, task_guid) => t.bbs.call('fail_task', { task_guid, failure_reason: 'given up' });
const resolve: Step = (t, task_guid) => t.bbs.call('resolving_task', { task_guid });
const remove: Step = (t, task_guid) => t.bbs.call('delete_task', { task_guid });

const STEPS = { start, complete, cancel, reject, fail, resolve, remove };
/** How a new task gets into a state. */
const INTO: Record<'Pending' | 'Running' | 'Completed' | 'Resolving', Step[]> = {
  Pending: [],
  Running: [start],
  Completed: [start, complete],
  Resolving: [start, complete, resolve],
};

const BAD = 'InvalidStateTransition';
/** What the real BBS says of a rejection that comes too late. */
const UNREADABLE: [string, string] = ['InvalidRequest', 'the request received is invalid'];
/** What each call says in each state. */
const MATRIX: [state: keyof typeof INTO, outcomes: Record<keyof typeof STEPS, [type: string, message: string]>][] = [
  [
    'Pending',
    {
      start: ['none', 'Running'],
      complete: [BAD, 'Cannot transition from Pending to Completed'],
      cancel: ['none', 'Completed'],
      reject: ['none', 'Pending'],
      fail: ['none', 'Completed'],
      resolve: [BAD, 'Cannot transition from Pending to Resolving'],
      remove: [BAD, 'Cannot transition from Pending to Resolving'],
    },
  ],
  [
    'Running',
    {
      start: ['none', 'Running'],
      complete: ['none', 'Completed'],
      cancel: ['none', 'Completed'],
      reject: ['none', 'Pending'],
      fail: ['none', 'Completed'],
      resolve: [BAD, 'Cannot transition from Running to Resolving'],
      remove: [BAD, 'Cannot transition from Running to Resolving'],
    },
  ],
  [
    'Completed',
    {
      start: [BAD, 'Cannot transition from Completed to Running'],
      complete: [BAD, 'Cannot transition from Completed to Completed'],
      cancel: [BAD, 'Cannot transition from Completed to Completed'],
      reject: UNREADABLE,
      fail: [BAD, 'Cannot transition from Completed to Completed'],
      resolve: ['none', 'Resolving'],
      remove: [BAD, 'Cannot transition from Completed to Resolving'],
    },
  ],
  [
    'Resolving',
    {
      start: [BAD, 'Cannot transition from Resolving to Running'],
      complete: [BAD, 'Cannot transition from Resolving to Completed'],
      cancel: [BAD, 'Cannot transition from Resolving to Completed'],
      reject: UNREADABLE,
      fail: [BAD, 'Cannot transition from Resolving to Completed'],
      resolve: [BAD, 'Cannot transition from Resolving to Resolving'],
      remove: ['none', 'gone'],
    },
  ],
];

const INVALID: [what: string, over: Sent<Messages['models.TaskDefinition']>, message: string][] = [
  ['no root file system', { root_fs: '' }, 'Invalid field: rootfs'],
  ['a root file system without scheme', { root_fs: 'x' }, 'Invalid field: rootfs'],
  ['no action', { action: {} }, 'Invalid field: action'],
  ['negative memory', { memory_mb: -1 }, 'Invalid field: memory_mb'],
  ['negative disk', { disk_mb: -1 }, 'Invalid field: disk_mb'],
  ['an annotation over 10 KiB', { annotation: 'x'.repeat(10 * 1_024 + 1) }, 'Invalid field: annotation'],
  ['a user of the image without password', { image_username: 'u' }, 'Invalid field: image_password'],
];

/** A task that waits on a cell which took it: no auction changes it meanwhile. */
async function task(t: Bench, over: Sent<Messages['models.TaskDefinition']> = {}): Promise<string> {
  const cell = await t.cell();
  const guid = await t.desireTask(over);
  await t.until('the task is taken', async () => cell.tasks.some(({ TaskGuid }) => TaskGuid === guid));
  await cell.withdraw();
  return guid;
}

export const taskCases: Case[] = [
  ...MATRIX.map(([state, outcomes]): Case => ({
    name: `what a task that is ${state} may become`,
    fact: `ValidateTransitionTo (bbs models/task.go, ${DB})`,
    on: 'quiet',
    async steps(t) {
      const cell = await t.cell();
      for (const [what, [type, message]] of Object.entries(outcomes)) {
        const guid = await t.desireTask();
        await t.work(cell, guid);
        for (const step of INTO[state]) await step(t, guid);
        const refusal = await t.refusal(STEPS[what as keyof typeof STEPS](t, guid));
        if (type !== 'none') {
          expect([what, refusal]).toEqual([what, { type, message }]);
          expect((await t.getTask(guid)).state).toBe(state);
        } else {
          expect([what, refusal.type]).toEqual([what, 'none']);
          const { tasks } = await t.bbs.call('tasks', { domain: t.domain });
          const now = tasks.find(({ task_guid }) => task_guid === guid)?.state ?? 'gone';
          expect([what, now]).toEqual([what, message]);
        }
      }
    },
  })),
  ...INVALID.map(([what, over, message]): Case => ({
    name: `a task with ${what} is refused`,
    fact: MODEL,
    on: 'quiet',
    async steps(t) {
      const refusal = await t.refusal(t.desireTask(over));
      expect(refusal.type).toBe('InvalidRequest');
      expect(refusal.message).toContain(message);
    },
  })),
  {
    name: 'a task guid is a plain word and is desired once',
    fact: `taskGuidPattern (${MODEL}), ResourceExists (${DB})`,
    on: 'quiet',
    async steps(t) {
      expect(await t.refusal(t.desireTask({}, 'a b'))).toEqual({
        type: 'InvalidRequest',
        message: 'Invalid field: task_guid',
      });
      const guid = await task(t);
      expect(await t.refusal(t.desireTask({}, guid))).toEqual({
        type: 'ResourceExists',
        message: 'the requested resource already exists',
      });
    },
  },
  {
    name: 'no call knows a task that is not there',
    fact: `ResourceNotFound (${DB})`,
    on: 'quiet',
    async steps(t) {
      const guid = t.name('none');
      for (const [what, step] of Object.entries(STEPS)) {
        expect([what, (await t.refusal(step(t, guid))).type]).toEqual([what, 'ResourceNotFound']);
      }
      expect((await t.refusal(t.getTask(guid))).type).toBe('ResourceNotFound');
      expect((await t.refusal(t.bbs.call('task_r2', { task_guid: guid }))).type).toBe('ResourceNotFound');
    },
  },
  {
    name: 'a start on the same cell again need not start; on another cell it is refused',
    fact: `StartTask (${DB})`,
    on: 'quiet',
    async steps(t) {
      const guid = await task(t);
      const startOn = (cell_id: string) => t.bbs.call('start_task', { task_guid: guid, cell_id });
      expect(await startOn('a')).toMatchObject({ should_start: true });
      expect(await startOn('a')).toMatchObject({ should_start: false });
      expect(await t.refusal(startOn('b'))).toEqual({
        type: BAD,
        message: 'Cannot transition from Running to Running',
      });
      expect(await t.getTask(guid)).toMatchObject({ state: 'Running', cell_id: 'a' });
    },
  },
  {
    name: 'only the cell that runs a task completes it',
    fact: `RunningOnDifferentCell (${DB} CompleteTask)`,
    on: 'quiet',
    async steps(t) {
      const guid = await task(t);
      await t.bbs.call('start_task', { task_guid: guid, cell_id: 'cell-b' });
      const completion = { task_guid: guid, failed: true, failure_reason: 'z'.repeat(3_000), result: '' };
      expect(await t.refusal(t.bbs.call('complete_task', { ...completion, cell_id: 'cell-a' }))).toEqual({
        type: 'RunningOnDifferentCell',
        message: 'Running on cell cell-b not cell-a',
      });
      await t.bbs.call('complete_task', { ...completion, cell_id: 'cell-b' });
      const done = await t.getTask(guid);
      expect(done).toMatchObject({ state: 'Completed', failed: true, cell_id: '', result: '' });
      expect(done.failure_reason.length).toBe(1_024);
      expect(done.first_completed_at).toBeGreaterThan(0n);
    },
  },
  {
    name: 'a result is kept until the task is deleted',
    fact: CONTROLLER,
    on: 'quiet',
    async steps(t) {
      const guid = await task(t);
      for (const step of [start, complete]) await step(t, guid);
      expect(await t.getTask(guid)).toMatchObject({ state: 'Completed', failed: false, result: 'done' });
      for (const step of [resolve, remove]) await step(t, guid);
      expect((await t.refusal(t.getTask(guid))).type).toBe('ResourceNotFound');
    },
  },
  {
    name: 'three rejections are borne, the fourth fails the task',
    fact: `max_task_retries 3 (${DB} RejectTask)`,
    on: 'quiet',
    async steps(t) {
      const guid = await task(t);
      for (let count = 1; count <= 3; count++) {
        await start(t, guid);
        await reject(t, guid);
        expect(await t.getTask(guid)).toMatchObject({
          state: 'Pending',
          rejection_count: count,
          rejection_reason: 'no room',
          // The row keeps it; a start overwrites it.
          cell_id: CELL,
        });
      }
      await reject(t, guid);
      expect(await t.getTask(guid)).toMatchObject({
        state: 'Completed',
        failed: true,
        failure_reason: 'no room',
        rejection_count: 4,
      });
    },
  },
  {
    name: 'a rejection needs a reason',
    fact: 'RejectTaskRequest.Validate (bbs models/task_requests.go)',
    on: 'quiet',
    async steps(t) {
      const guid = await task(t);
      expect(await t.refusal(t.bbs.call('reject_task', { task_guid: guid, rejection_reason: '' }))).toMatchObject({
        type: 'InvalidRequest',
      });
    },
  },
  {
    name: 'a task that waits is cancelled without a word to any cell',
    fact: `CancelTask (${CONTROLLER})`,
    on: 'quiet',
    async steps(t) {
      const cell = await t.cell();
      const guid = await t.desireTask();
      await t.work(cell, guid);
      await cancel(t, guid);
      await delay(200);
      expect(await t.getTask(guid)).toMatchObject({
        state: 'Completed',
        failed: true,
        failure_reason: 'task was cancelled',
      });
      expect(cell.seen.filter(({ kind }) => kind === 'cancel')).toEqual([]);
    },
  },
  {
    name: 'a task that runs is cancelled on its cell, and its callback says so',
    fact: `CancelTask (${CONTROLLER})`,
    on: 'quiet',
    async steps(t) {
      const cell = await t.cell();
      const callback = t.name('callback');
      const guid = await t.desireTask({ completion_callback_url: t.callbacks.url(callback) });
      await t.work(cell, guid);
      await t.bbs.call('start_task', { task_guid: guid, cell_id: cell.id });
      await cancel(t, guid);
      const [seen] = await cell.seen.wait('cancel', t.times.patience_ms, ({ kind }) => kind === 'cancel');
      expect(seen?.path).toBe(`/v1/tasks/${guid}/cancel`);
      const [called] = await t.callbacks.wait(callback, t.times.patience_ms);
      expect(called?.body).toMatchObject({ task_guid: guid, failed: true, failure_reason: 'task was cancelled' });
    },
  },
  {
    name: 'a callback carries what became of the task, and the task is gone after it',
    fact: `TaskCallbackResponse (bbs models/task.go), HandleCompletedTask (${CALLBACK})`,
    on: 'quiet',
    async steps(t) {
      const callback = t.name('callback');
      const guid = await task(t, { completion_callback_url: t.callbacks.url(callback), annotation: '{"a":1}' });
      const { created_at } = await t.getTask(guid);
      for (const step of [start, complete]) await step(t, guid);
      const [called] = await t.callbacks.wait(callback, t.times.patience_ms);
      expect(called?.headers['content-type']).toBe('application/json');
      expect({ ...called?.body, created_at: undefined }).toEqual({
        task_guid: guid,
        failed: false,
        failure_reason: '',
        result: 'done',
        annotation: '{"a":1}',
        created_at: undefined,
      });
      expect(called?.text).toContain(`"created_at":${created_at}`);
      await t.until('the task goes', async () => (await t.refusal(t.getTask(guid))).type === 'ResourceNotFound');
    },
  },
  {
    name: 'an annotation that is empty is left out of the callback',
    fact: 'omitempty (bbs models/task.go TaskCallbackResponse)',
    on: 'quiet',
    async steps(t) {
      const callback = t.name('callback');
      const guid = await task(t, { completion_callback_url: t.callbacks.url(callback) });
      for (const step of [start, complete]) await step(t, guid);
      const [called] = await t.callbacks.wait(callback, t.times.patience_ms);
      expect(Object.keys(called?.body ?? {}).sort()).toEqual([
        'created_at',
        'failed',
        'failure_reason',
        'result',
        'task_guid',
      ]);
    },
  },
  {
    name: 'a callback answered with an error is not repeated, and the task is gone',
    fact: `only 503, 504 and time-outs are repeated (${CALLBACK})`,
    on: 'quiet',
    async steps(t) {
      const callback = t.name('callback');
      const guid = await task(t, { completion_callback_url: t.callbacks.url(callback, 500) });
      for (const step of [start, complete]) await step(t, guid);
      await t.until('the task goes', async () => (await t.refusal(t.getTask(guid))).type === 'ResourceNotFound');
      expect(t.callbacks.of(callback).length).toBe(1);
    },
  },
  {
    name: 'a callback that is not served now is tried three times, and again when the task is kicked',
    fact: `MaxCallbackRetries (${CALLBACK}), kick (bbs db/sqldb/task_convergence.go)`,
    async steps(t) {
      const cell = await t.cell();
      const callback = t.name('callback');
      const completion_callback_url = t.callbacks.url(callback, 503, 503, 503, 200);
      const guid = await t.desireTask({ completion_callback_url });
      await t.work(cell, guid);
      await t.bbs.call('start_task', { task_guid: guid, cell_id: cell.id });
      await t.bbs.call('complete_task', { task_guid: guid, cell_id: cell.id, failed: false, result: 'r' });
      const first = await t.callbacks.wait(callback, t.times.patience_ms, 3);
      expect((first[2]?.at ?? 0) - (first[0]?.at ?? 0)).toBeLessThan(1_000);
      expect((await t.getTask(guid)).state).toBe('Resolving');
      const all = await t.callbacks.wait(callback, t.times.patience_ms + 3 * t.times.kick_ms, 4);
      // Counted from when the task began to resolve.
      expect((all[3]?.at ?? 0) - (all[0]?.at ?? 0)).toBeGreaterThan(t.times.kick_ms * 0.9);
      await t.until('the task goes', async () => (await t.refusal(t.getTask(guid))).type === 'ResourceNotFound');
    },
  },
  {
    name: 'a completed task without callback stays until somebody resolves it',
    fact: CALLBACK,
    async steps(t) {
      const cell = await t.cell();
      const guid = await t.desireTask();
      await t.work(cell, guid);
      await t.bbs.call('start_task', { task_guid: guid, cell_id: cell.id });
      await t.bbs.call('complete_task', { task_guid: guid, cell_id: cell.id, failed: true, failure_reason: 'no' });
      await t.rounds(2);
      expect(await t.getTask(guid)).toMatchObject({ state: 'Completed', failure_reason: 'no' });
      await resolve(t, guid);
      await remove(t, guid);
    },
  },
  {
    name: 'a task that nobody takes in time has failed',
    fact: 'failExpiredPendingTasks (bbs db/sqldb/task_convergence.go)',
    long: true,
    async steps(t) {
      const cell = await t.cell();
      cell.answers.work = ({ body }) => ({ status: 200, body });
      const callback = t.name('callback');
      const guid = await t.desireTask({ completion_callback_url: t.callbacks.url(callback) });
      const [called] = await t.callbacks.wait(callback, t.times.expire_pending_ms + 3 * t.times.patience_ms);
      expect(called?.body).toMatchObject({
        task_guid: guid,
        failed: true,
        failure_reason: 'not started within time limit',
      });
    },
  },
  {
    name: 'a completed task that nobody resolves is deleted in the end',
    fact: 'deleteExpiredCompletedTasks (bbs db/sqldb/task_convergence.go)',
    long: true,
    async steps(t) {
      const cell = await t.cell();
      const guid = await t.desireTask();
      await t.work(cell, guid);
      await t.bbs.call('start_task', { task_guid: guid, cell_id: cell.id });
      await t.bbs.call('complete_task', { task_guid: guid, cell_id: cell.id, failed: false, result: 'r' });
      const gone = async (): Promise<boolean> => (await t.refusal(t.getTask(guid))).type === 'ResourceNotFound';
      await delay(t.times.expire_completed_ms * 0.7);
      expect(await gone()).toBe(false);
      await t.until('the task goes', gone, t.times.expire_completed_ms + t.times.patience_ms);
    },
  },
  {
    name: 'tasks are listed by domain and by cell',
    fact: `${DB} Tasks`,
    on: 'quiet',
    async steps(t) {
      const [waits, runs] = [await task(t), await task(t)];
      const cell_id = t.name('cell');
      await t.bbs.call('start_task', { task_guid: runs, cell_id });
      const list = async (request: { domain?: string; cell_id?: string }): Promise<string[]> =>
        (await t.bbs.call('tasks', request)).tasks.map(({ task_guid }) => task_guid).sort();
      expect(await list({ domain: t.domain })).toEqual([waits, runs].sort());
      expect(await list({ cell_id })).toEqual([runs]);
      expect(await list({ domain: 'another', cell_id })).toEqual([]);
    },
  },
  {
    name: 'a task read by version 2 downloads its layers before its action',
    fact: 'downgrade of tasks (bbs models/task.go)',
    on: 'quiet',
    async steps(t) {
      const layer = {
        destination_path: '/d',
        media_type: 'TGZ',
        digest_algorithm: 'SHA256',
        digest_value: 'x',
      } as const;
      const guid = await task(t, {
        legacy_download_user: 'vcap',
        image_layers: [
          { ...layer, name: 's', url: 'http://s', layer_type: 'SHARED' },
          { ...layer, name: 'e', url: 'http://e', layer_type: 'EXCLUSIVE' },
        ],
      });
      expect((await t.getTask(guid)).task_definition?.image_layers.length).toBe(2);
      const { task: old } = await t.bbs.call('task_r2', { task_guid: guid });
      expect(old?.task_definition?.image_layers).toEqual([]);
      expect(old?.task_definition?.cached_dependencies.map(({ from }) => from)).toEqual(['http://s']);
      const actions = old?.task_definition?.action?.serial_action?.actions ?? [];
      expect(actions[0]?.parallel_action?.actions[0]?.download_action?.from).toBe('http://e');
      expect(actions[1]?.run_action?.path).toBe('/bin/task');
      const { tasks } = await t.bbs.call('tasks_r2', { domain: t.domain });
      expect(tasks).toEqual([old]);
    },
  },
];
