import { describe, expect, test } from '@jest/globals';
import { UnikError } from '../../../core/errors.js';
import { BbsError, HttpStatus } from '../../../backend/wire/bbs.js';
import { anLrp, anOrder, aTask } from '../../support/cell/samples.js';
import { flush, makeCell } from '../../support/cell/reconciler.js';
import { unreachable, type Row } from '../../support/cell/fake-bbs.js';

const CRASH = { failed: true, reason: 'APP/PROC/WEB: Exited with status 1', retryable: false };

/** A cell with one instance that runs. */
async function running(change: Parameters<typeof makeCell>[0] = {}) {
  const cell = makeCell(change);
  const reconciler = cell.make();
  reconciler.start();
  cell.bbs.desire('proc-1', 0);
  cell.containers.reserve({ ...anLrp(), trace: 'trace-1' });
  await flush();
  cell.containers.boot('inst-1');
  await flush();
  cell.containers.healthy('inst-1');
  await flush();
  const row = () => cell.bbs.rows.get('proc-1/0');
  return { ...cell, reconciler, row };
}

test('an instance is claimed, run and started, each with the trace of its auction', async () => {
  const { bbs, row, reconciler } = await running();
  expect(row()).toMatchObject({ state: 'RUNNING', instance_guid: 'inst-1', cell_id: 'cell-a', routable: true });
  const calls = bbs.calls.map(({ call }) => call);
  expect(calls.slice(0, 2)).toEqual(['claim', 'desired_lrp']);
  expect(calls.at(-1)).toBe('start');
  expect([...new Set(bbs.calls.map(({ trace }) => trace))]).toEqual(['trace-1']);
  await reconciler.close();
});

test('it is started again when a pass finds the row to differ, without a trace, and when its routability or tags change', async () => {
  const { bbs, clock, containers, row, reconciler } = await running();
  const before = bbs.count('start');
  await clock.turn(30_000);
  expect(bbs.count('actual_lrps')).toBe(1);
  expect(bbs.count('start')).toBe(before);
  bbs.rows.set('proc-1/0', { ...row(), state: 'CLAIMED' } as Row);
  await clock.turn(30_000);
  expect(row()?.state).toBe('RUNNING');
  expect(bbs.count('start')).toBe(before + 1);
  expect(bbs.calls.at(-1)).toMatchObject({ call: 'start', trace: undefined });
  containers.setRoutable('inst-1', false);
  await flush();
  expect(row()).toMatchObject({ state: 'RUNNING', routable: false });
  containers.update('inst-1', { metric_tags: { b: 'c' } });
  reconciler.hint('inst-1', 'trace-2');
  await flush();
  expect(bbs.calls.at(-1)).toMatchObject({ trace: 'trace-2', request: { metric_tags: { b: 'c' } } });
  await reconciler.close();
});

describe('the end of an instance', () => {
  test('by itself is a crash, also with status 0', async () => {
    const { containers, row, reconciler } = await running();
    containers.exit('inst-1', { failed: false, reason: '', retryable: false });
    await flush();
    expect(row()).toMatchObject({ state: 'UNCLAIMED', crash_count: 1 });
    expect(containers.list()).toEqual([]);
    await reconciler.close();
  });

  test('as asked is a removal', async () => {
    const { containers, row, bbs, reconciler } = await running();
    containers.stop('inst-1');
    await flush();
    expect(row()).toBeUndefined();
    expect(bbs.count('crash')).toBe(0);
    expect(containers.list()).toEqual([]);
    await reconciler.close();
  });

  test('in an outage of the BBS is told, with its reason, soon after the outage', async () => {
    const { containers, row, bbs, clock, reconciler } = await running();
    bbs.fault = unreachable;
    containers.exit('inst-1', CRASH);
    await clock.turn(60_000);
    expect(containers.get('inst-1')?.state).toBe('completed');
    bbs.fault = () => undefined;
    await clock.turn(5_000);
    expect(row()).toMatchObject({ crash_count: 1, crash_reason: CRASH.reason });
    expect(containers.list()).toEqual([]);
    await reconciler.close();
  });

  test('is asked about with one ping at a time, however many wait', async () => {
    const { containers, bbs, clock, reconciler } = await running();
    for (const index of [1, 2, 3, 4]) containers.reserve(anLrp(`inst-${index + 1}`, index));
    await flush();
    bbs.fault = unreachable;
    for (const { reservation } of containers.list()) containers.exit(reservation.guid, CRASH);
    await flush();
    const before = bbs.calls.length;
    await clock.turn(20_000);
    expect(bbs.calls.slice(before).map(({ call }) => call)).toEqual(['ping', 'ping', 'ping', 'ping']);
    await reconciler.close();
  });

  test('of a BBS whose database fails is offered for five minutes, then forgotten', async () => {
    const { containers, bbs, clock, reconciler } = await running();
    bbs.fault = (call) => {
      if (call === 'crash') throw new BbsError('UnknownError', 'database');
    };
    containers.exit('inst-1', CRASH);
    await clock.turn(5 * 60_000);
    expect(containers.list()).toHaveLength(1);
    expect(bbs.count('crash')).toBeGreaterThan(5);
    await clock.turn(31_000);
    expect(containers.list()).toEqual([]);
    await reconciler.close();
  });
});

test('a call that was done but whose answer was lost is made good', async () => {
  const cell = makeCell();
  const reconciler = cell.make();
  reconciler.start();
  cell.bbs.desireTask('task-1');
  let lost = 1;
  cell.bbs.fault = (call, when) => {
    if (call === 'start_task' && when === 'after' && lost-- > 0) unreachable();
  };
  cell.containers.reserve(aTask());
  await flush();
  expect(cell.containers.get('task-1')?.state).toBe('reserved');
  await cell.clock.turn(5_000);
  expect(cell.containers.get('task-1')?.state).toBe('initializing');
  await reconciler.close();
});

test('an older BBS is told the older way', async () => {
  const { bbs, containers, reconciler } = await running();
  bbs.fault = (call) => {
    if (call === 'start') throw new HttpStatus(404, 'BBS: status 404');
  };
  containers.setRoutable('inst-1', false);
  await flush();
  expect(bbs.calls.slice(-2).map(({ call }) => call)).toEqual(['start', 'start_r0']);
  await reconciler.close();
});

describe('what this cell cannot run', () => {
  const refuse = () => {
    throw new UnikError('not_supported', 'sidecars do not run here');
  };

  test('is a crash that tells the reason, to the user too', async () => {
    const said: string[] = [];
    const { bbs, containers, make } = makeCell({
      convert: { lrp: refuse, task: refuse },
      refused: (_desired, lrp, reason) => void said.push(`${lrp.process_guid}: ${reason}`),
    });
    const reconciler = make();
    reconciler.start();
    bbs.desire('proc-1', 0);
    containers.reserve(anLrp());
    await flush();
    expect(bbs.rows.get('proc-1/0')).toMatchObject({ crash_count: 1, crash_reason: 'sidecars do not run here' });
    expect(said).toEqual(['proc-1: sidecars do not run here']);
    expect(containers.list()).toEqual([]);
    await reconciler.close();
  });

  test('is a failed task', async () => {
    const { bbs, containers, make } = makeCell({ convert: { lrp: refuse, task: refuse } });
    const reconciler = make();
    reconciler.start();
    bbs.desireTask('task-1');
    containers.reserve(aTask());
    await flush();
    expect(bbs.tasks.get('task-1')).toMatchObject({ state: 'Completed', failure_reason: 'sidecars do not run here' });
    expect(containers.list()).toEqual([]);
    await reconciler.close();
  });

  test('what is no longer desired is not run', async () => {
    const { bbs, containers, make } = makeCell();
    const reconciler = make();
    reconciler.start();
    bbs.desire('proc-1', 0);
    bbs.desired.delete('proc-1');
    containers.reserve(anLrp());
    await flush();
    expect(bbs.rows.size).toBe(0);
    expect(containers.list()).toEqual([]);
    await reconciler.close();
  });
});

describe('a pass', () => {
  test('removes what is not here', async () => {
    const { bbs, make } = makeCell();
    bbs.desire('proc-1', 0);
    await bbs.call('claim', {
      process_guid: 'proc-1',
      index: 0,
      actual_lrp_instance_key: { instance_guid: 'old', cell_id: 'cell-a' },
    });
    bbs.desireTask('task-1');
    await bbs.call('start_task', { task_guid: 'task-1', cell_id: 'cell-a' });
    const reconciler = make();
    expect(await reconciler.pass()).toBe(true);
    expect(bbs.rows.size).toBe(0);
    expect(bbs.tasks.get('task-1')).toMatchObject({ failed: true, failure_reason: 'task container does not exist' });
    await reconciler.close();
  });

  test('does nothing when the BBS tells only half', async () => {
    const { bbs, containers, make } = makeCell();
    bbs.desire('proc-1', 0);
    await bbs.call('claim', {
      process_guid: 'proc-1',
      index: 0,
      actual_lrp_instance_key: { instance_guid: 'old', cell_id: 'cell-a' },
    });
    bbs.fault = (call) => {
      if (call === 'tasks') unreachable();
    };
    containers.reserve(anLrp('inst-2', 1));
    const reconciler = make();
    const before = bbs.calls.length;
    expect(await reconciler.pass()).toBe(false);
    expect(bbs.calls.slice(before).map(({ call }) => call)).toEqual(['actual_lrps', 'tasks']);
    await reconciler.close();
  });
});

describe('evacuation', () => {
  test('asks for a replacement once, serves until it runs, then goes', async () => {
    const said: string[] = [];
    const { bbs, containers, clock, reconciler, row } = await running({
      onReplacement: ({ reservation }) => void said.push(reservation.guid),
    });
    reconciler.evacuate();
    await flush();
    expect(row()).toMatchObject({ state: 'UNCLAIMED' });
    expect(bbs.evacuating.size).toBe(1);
    await clock.turn(10_000);
    expect(containers.get('inst-1')?.state).toBe('running');
    const elsewhere = { instance_guid: 'new', cell_id: 'cell-b' };
    await bbs.call('start', {
      actual_lrp_key: { process_guid: 'proc-1', index: 0, domain: 'cf-apps' },
      actual_lrp_instance_key: elsewhere,
    });
    await clock.turn(10_000);
    expect(containers.list()).toEqual([]);
    expect(bbs.evacuating.size).toBe(0);
    expect(row()).toMatchObject({ state: 'RUNNING', ...elsewhere });
    expect(said).toEqual(['inst-1']);
    await reconciler.close();
  });

  test('keeps an instance while the BBS is away', async () => {
    const { bbs, containers, clock, reconciler } = await running();
    bbs.fault = unreachable;
    reconciler.evacuate();
    await clock.turn(60_000);
    expect(containers.get('inst-1')?.state).toBe('running');
    await reconciler.close();
  });

  test('lets a task end', async () => {
    const { bbs, containers, make } = makeCell();
    const reconciler = make();
    reconciler.start();
    bbs.desireTask('task-1');
    containers.reserve(aTask());
    await flush();
    reconciler.evacuate();
    await flush();
    containers.exit('task-1', { failed: false, reason: '', retryable: false, result: 'r' });
    await flush();
    expect(bbs.tasks.get('task-1')).toMatchObject({ state: 'Completed', failed: false, result: 'r' });
    await reconciler.close();
  });
});

test('a restarted cell claims its machines again, and restarts none', async () => {
  const { bbs, containers, clock, reconciler, make, row } = await running();
  await reconciler.close();
  const before = row();
  const again = make();
  again.start();
  await clock.turn(30_000);
  expect(row()).toEqual(before);
  expect(containers.get('inst-1')).toMatchObject({ state: 'running', order: anOrder() });
  expect(bbs.count('crash') + bbs.count('remove')).toBe(0);
  await again.close();
});
