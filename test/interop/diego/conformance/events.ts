import { expect } from '@jest/globals';
import type { BbsEvent, EventStream } from '../../../support/diego/event-stream.js';
import type { Bench } from './bench.js';
import type { Case } from './case.js';

const HANDLER = 'bbs handlers/events_handlers.go';
const CALCULATOR = 'bbs events/calculator/actual_lrp_event_calculator.go';

/** One line for an event of a process or task of this case; undefined for others. */
function line({ event, data }: BbsEvent, guid: string): string | undefined {
  switch (event) {
    case 'desired_lrp_created':
    case 'desired_lrp_removed':
      return data.desired_lrp?.process_guid === guid ? `${event} ${data.desired_lrp.instances}` : undefined;
    case 'desired_lrp_changed':
      return data.after?.process_guid === guid
        ? `${event} ${data.before?.instances} -> ${data.after.instances}`
        : undefined;
    case 'actual_lrp_instance_created':
    case 'actual_lrp_instance_removed': {
      const { actual_lrp_key, state, presence, actual_lrp_instance_key } = data.actual_lrp ?? {};
      const owner = actual_lrp_instance_key?.instance_guid ? 'owned' : 'free';
      return actual_lrp_key?.process_guid === guid ? `${event} ${presence} ${state} ${owner}` : undefined;
    }
    case 'actual_lrp_instance_changed': {
      const { before, after } = data;
      return data.actual_lrp_key?.process_guid === guid
        ? `${event} ${before?.presence} ${before?.state} -> ${after?.presence} ${after?.state}`
        : undefined;
    }
    case 'actual_lrp_crashed':
      return data.actual_lrp_key?.process_guid === guid
        ? `${event} ${data.crash_count} ${data.crash_reason}`
        : undefined;
    case 'task_created':
    case 'task_removed':
      return data.task?.task_guid === guid ? `${event} ${data.task.state}` : undefined;
    case 'task_changed':
      return data.after?.task_guid === guid ? `${event} ${data.before?.state} -> ${data.after.state}` : undefined;
    case 'actual_lrp_created':
    case 'actual_lrp_removed': {
      const { instance, evacuating } = data.actual_lrp_group ?? {};
      const row = instance ?? evacuating;
      return row?.actual_lrp_key?.process_guid === guid ? `${event} ${row.presence} ${row.state}` : undefined;
    }
    case 'actual_lrp_changed': {
      const [before, after] = [data.before, data.after].map((group) => group?.instance ?? group?.evacuating);
      return after?.actual_lrp_key?.process_guid === guid ? `${event} ${before?.state} -> ${after.state}` : undefined;
    }
  }
}

/** The lines about `guid` once there are `count`. */
async function lines(t: Bench, stream: EventStream, guid: string, count: number): Promise<string[]> {
  const mine = (event: BbsEvent): boolean => line(event, guid) !== undefined;
  const found = await stream.events.wait(`${count} events of ${guid}`, t.times.patience_ms, mine, count);
  return found.flatMap((event) => line(event, guid) ?? []);
}

export const eventCases: Case[] = [
  {
    name: 'the head of a stream comes before any event, and events count from 0',
    fact: `server-sent events (${HANDLER}, bbs events/event_source.go)`,
    on: 'quiet',
    async steps(t) {
      const stream = await t.events('lrp_instances');
      expect(stream.head).toMatch(/^HTTP\/1.1 200/);
      expect(stream.head).toMatch(/Content-Type: text\/event-stream; charset=utf-8/i);
      expect(stream.head).toMatch(/Cache-Control: no-cache, no-store, must-revalidate/i);
      const guid = await t.desire();
      await lines(t, stream, guid, 2);
      expect(stream.events.all.map(({ id }) => id)).toEqual(stream.events.all.map((_, index) => index));
    },
  },
  {
    name: 'the life of an instance: created, claimed, running, removed',
    fact: CALCULATOR,
    on: 'quiet',
    async steps(t) {
      const stream = await t.events('lrp_instances');
      const cell = await t.cell();
      const { guid, on } = await t.running([cell]);
      if (on[0]) await cell.remove(on[0].one);
      await t.bbs.call('update_lrp', { process_guid: guid, update: { instances: 0 } });
      await t.bbs.call('remove_lrp', { process_guid: guid });
      const all = await lines(t, stream, guid, 7);
      expect(all.filter((one) => one.startsWith('actual'))).toEqual([
        'actual_lrp_instance_created ORDINARY UNCLAIMED free',
        'actual_lrp_instance_changed ORDINARY UNCLAIMED -> ORDINARY CLAIMED',
        'actual_lrp_instance_changed ORDINARY CLAIMED -> ORDINARY RUNNING',
        'actual_lrp_instance_removed ORDINARY RUNNING owned',
      ]);
      expect(all.filter((one) => one.startsWith('desired'))).toEqual([
        'desired_lrp_created 1',
        'desired_lrp_changed 1 -> 0',
        'desired_lrp_removed 0',
      ]);
    },
  },
  {
    name: 'a crash with restart is told as crashed, created and removed',
    fact: CALCULATOR,
    on: 'quiet',
    async steps(t) {
      const cell = await t.cell();
      const { guid, on } = await t.running([cell]);
      const stream = await t.events('lrp_instances');
      if (on[0]) await cell.crash(on[0].one, 'oh');
      expect(await lines(t, stream, guid, 3)).toEqual([
        'actual_lrp_crashed 1 oh',
        'actual_lrp_instance_created ORDINARY UNCLAIMED free',
        'actual_lrp_instance_removed ORDINARY RUNNING owned',
      ]);
    },
  },
  {
    name: 'a crash without restart is told as crashed and changed',
    fact: CALCULATOR,
    on: 'quiet',
    async steps(t) {
      const cell = await t.cell();
      const guid = await t.desire();
      for (let time = 1; time <= 2; time++) {
        await t.work(cell, guid, time);
        const one = t.instance(guid);
        await cell.claim(one);
        await cell.crash(one);
      }
      await t.work(cell, guid, 3);
      const one = t.instance(guid);
      await cell.start(one);
      const stream = await t.events('lrp_instances');
      await cell.crash(one, 'third');
      expect(await lines(t, stream, guid, 2)).toEqual([
        'actual_lrp_crashed 3 third',
        'actual_lrp_instance_changed ORDINARY RUNNING -> ORDINARY CRASHED',
      ]);
    },
  },
  {
    name: 'an evacuation is told as a change of presence and a new row; the end of it as removed',
    fact: CALCULATOR,
    on: 'quiet',
    async steps(t) {
      const old = await t.cell();
      const { guid, on } = await t.running([old]);
      const one = on[0]?.one ?? t.instance(guid);
      old.evacuating = true;
      const spare = await t.cell();
      await t.noticed();
      const stream = await t.events('lrp_instances');
      await t.bbs.call('evacuate_running', old.startRequest(one));
      await t.work(spare, guid);
      await spare.start(t.instance(guid));
      expect(await lines(t, stream, guid, 4)).toEqual([
        'actual_lrp_instance_changed ORDINARY RUNNING -> EVACUATING RUNNING',
        'actual_lrp_instance_created ORDINARY UNCLAIMED free',
        'actual_lrp_instance_changed ORDINARY UNCLAIMED -> ORDINARY RUNNING',
        'actual_lrp_instance_removed EVACUATING RUNNING owned',
      ]);
    },
  },
  {
    name: 'a missing cell and its return are told as changes of presence',
    fact: CALCULATOR,
    async steps(t) {
      const old = await t.cell();
      const { guid } = await t.running([old]);
      const spare = await t.cell();
      await t.noticed();
      const stream = await t.events('lrp_instances');
      await old.withdraw();
      await t.work(spare, guid);
      await old.present();
      const all = await lines(t, stream, guid, 4);
      expect(all.toSorted()).toEqual([
        'actual_lrp_instance_changed ORDINARY RUNNING -> SUSPECT RUNNING',
        'actual_lrp_instance_changed SUSPECT RUNNING -> ORDINARY RUNNING',
        'actual_lrp_instance_created ORDINARY UNCLAIMED free',
        'actual_lrp_instance_removed ORDINARY UNCLAIMED free',
      ]);
    },
  },
  {
    name: 'a failed placement is a change',
    fact: CALCULATOR,
    on: 'quiet',
    async steps(t) {
      await t.cell();
      const stream = await t.events('lrp_instances');
      const guid = await t.desire({ root_fs: 'preloaded:none' });
      expect((await lines(t, stream, guid, 3)).filter((one) => one.includes('changed'))).toEqual([
        'actual_lrp_instance_changed ORDINARY UNCLAIMED -> ORDINARY UNCLAIMED',
      ]);
    },
  },
  {
    name: 'a change of what the cell says of a running instance is told, the same start is not',
    fact: CALCULATOR,
    on: 'quiet',
    async steps(t) {
      const cell = await t.cell();
      const { guid, on } = await t.running([cell]);
      const one = on[0]?.one ?? t.instance(guid);
      const stream = await t.events('lrp_instances');
      await cell.start(one);
      await cell.start(one, { routable: false });
      await lines(t, stream, guid, 1);
      const [event] = stream.events.filter((candidate) => line(candidate, guid) !== undefined);
      expect(event?.data).toMatchObject({
        before: { state: 'RUNNING', routable: true },
        after: { state: 'RUNNING', routable: false },
        actual_lrp_instance_key: { instance_guid: one.instance_guid, cell_id: cell.id },
      });
    },
  },
  {
    name: 'a stream for one cell tells of its instances and of every desired LRP',
    fact: `filter by cell id (${HANDLER})`,
    on: 'quiet',
    async steps(t) {
      const [mine, other] = [await t.cell(), await t.cell()];
      const stream = await t.events('lrp_instances', mine.id);
      const { guid, on } = await t.running([mine, other], { instances: 2 });
      for (const { cell, one } of on) await cell.remove(one);
      const here = on.filter(({ cell }) => cell === mine).length;
      expect(here).toBe(1);
      const all = await lines(t, stream, guid, 4);
      expect(all.toSorted()).toEqual([
        'actual_lrp_instance_changed ORDINARY CLAIMED -> ORDINARY RUNNING',
        'actual_lrp_instance_changed ORDINARY UNCLAIMED -> ORDINARY CLAIMED',
        'actual_lrp_instance_removed ORDINARY RUNNING owned',
        'desired_lrp_created 2',
      ]);
    },
  },
  {
    name: 'the life of a task',
    fact: 'bbs handlers/events_handlers.go SubscribeToTaskEvents',
    on: 'quiet',
    async steps(t) {
      const cell = await t.cell();
      const stream = await t.events('tasks');
      const guid = await t.desireTask();
      await t.work(cell, guid);
      await t.bbs.call('start_task', { task_guid: guid, cell_id: cell.id });
      await t.bbs.call('complete_task', { task_guid: guid, cell_id: cell.id, failed: false, result: '' });
      await t.bbs.call('resolving_task', { task_guid: guid });
      await t.bbs.call('delete_task', { task_guid: guid });
      expect(await lines(t, stream, guid, 5)).toEqual([
        'task_created Pending',
        'task_changed Pending -> Running',
        'task_changed Running -> Completed',
        'task_changed Completed -> Resolving',
        'task_removed Resolving',
      ]);
    },
  },
  {
    name: 'the deprecated stream tells of groups',
    fact: 'bbs handlers/events_handlers_r0.go',
    on: 'quiet',
    async steps(t) {
      const cell = await t.cell();
      const stream = await t.events('lrp_groups');
      const { guid, on } = await t.running([cell]);
      if (on[0]) await cell.remove(on[0].one);
      const all = await lines(t, stream, guid, 5);
      expect(all.filter((one) => one.startsWith('actual'))).toEqual([
        'actual_lrp_created ORDINARY UNCLAIMED',
        'actual_lrp_changed UNCLAIMED -> CLAIMED',
        'actual_lrp_changed CLAIMED -> RUNNING',
        'actual_lrp_removed ORDINARY RUNNING',
      ]);
    },
  },
];
