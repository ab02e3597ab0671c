import { expect } from '@jest/globals';
import { BbsError } from '../../../../backend/wire/bbs.js';
import type { Instance, TestCell } from '../../../support/diego/test-cell.js';
import type { Bench } from './bench.js';
import type { Case } from './case.js';

const DB = 'bbs db/sqldb/actual_lrp_db.go';
const MODEL = 'bbs models/actual_lrp.go AllowsTransitionTo';

/** `ok`, or the type of the error. */
async function outcome(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'ok';
  } catch (err) {
    if (err instanceof BbsError) return err.type;
    throw err;
  }
}

type Move = 'claim' | 'start' | 'crash' | 'fail' | 'remove';

function move(t: Bench, cell: TestCell, one: Instance, what: Move): Promise<unknown> {
  if (what !== 'fail') return cell[what](one);
  const { actual_lrp_key } = cell.keys(one);
  return t.bbs.call('fail', { actual_lrp_key, error_message: 'no place' });
}

/** Brings index 0 of a new process into `state` on `cell`. */
async function inState(t: Bench, cell: TestCell, state: 'UNCLAIMED' | 'CLAIMED' | 'RUNNING'): Promise<Instance> {
  const guid = await t.desire();
  await t.work(cell, guid);
  const one = t.instance(guid);
  if (state !== 'UNCLAIMED') await cell.claim(one);
  if (state === 'RUNNING') await cell.start(one);
  return one;
}

/** What each call says in each state: by the same instance, then by another one on the same cell. */
const MATRIX: [state: 'UNCLAIMED' | 'CLAIMED' | 'RUNNING', call: Move, same: string, other: string, after: string][] = [
  ['UNCLAIMED', 'claim', 'ok', 'ok', 'CLAIMED'],
  ['UNCLAIMED', 'start', 'ok', 'ok', 'RUNNING'],
  ['UNCLAIMED', 'crash', 'ActualLRPCannotBeCrashed', 'ActualLRPCannotBeCrashed', 'UNCLAIMED'],
  ['UNCLAIMED', 'fail', 'ok', 'ok', 'UNCLAIMED'],
  ['UNCLAIMED', 'remove', 'ResourceNotFound', 'ResourceNotFound', 'UNCLAIMED'],
  ['CLAIMED', 'claim', 'ok', 'ActualLRPCannotBeClaimed', 'CLAIMED'],
  ['CLAIMED', 'start', 'ok', 'ok', 'RUNNING'],
  ['CLAIMED', 'crash', 'ok', 'ActualLRPCannotBeCrashed', 'UNCLAIMED'],
  ['CLAIMED', 'fail', 'ActualLRPCannotBeFailed', 'ActualLRPCannotBeFailed', 'CLAIMED'],
  ['CLAIMED', 'remove', 'ok', 'ResourceNotFound', 'gone'],
  ['RUNNING', 'claim', 'ok', 'ActualLRPCannotBeClaimed', 'CLAIMED'],
  ['RUNNING', 'start', 'ok', 'ActualLRPCannotBeStarted', 'RUNNING'],
  ['RUNNING', 'crash', 'ok', 'ActualLRPCannotBeCrashed', 'UNCLAIMED'],
  ['RUNNING', 'fail', 'ActualLRPCannotBeFailed', 'ActualLRPCannotBeFailed', 'RUNNING'],
  ['RUNNING', 'remove', 'ok', 'ResourceNotFound', 'gone'],
];

export const actualCases: Case[] = [
  ...MATRIX.map(([state, call, same, other, after]): Case => ({
    name: `${call} of an instance that is ${state}`,
    fact: `${MODEL}, ${DB}`,
    on: 'quiet',
    async steps(t) {
      const cell = await t.cell();
      const one = await inState(t, cell, state);
      const stranger = await inState(t, cell, state);
      expect(await outcome(move(t, cell, one, call))).toBe(same);
      const rows = await t.lrps(one.process_guid);
      expect(rows.map((row) => row.state)).toEqual(after === 'gone' ? [] : [after]);
      const another = { ...stranger, instance_guid: t.name('another') };
      expect(await outcome(move(t, cell, another, call))).toBe(other);
    },
  })),
  {
    name: 'a claim names its instance, a start adds where it is, a claim takes that away again',
    fact: `ClaimActualLRP clears net info, StartActualLRP sets it (${DB})`,
    on: 'quiet',
    async steps(t) {
      const cell = await t.cell();
      const one = await inState(t, cell, 'CLAIMED');
      const claimed = await t.only(one.process_guid);
      expect(claimed).toMatchObject({
        actual_lrp_instance_key: { instance_guid: one.instance_guid, cell_id: cell.id },
        actual_lrp_net_info: { address: '', ports: [] },
        presence: 'ORDINARY',
      });
      await cell.start(one, {
        internal_routes: ['app.internal'],
        metric_tags: { a: 'b' },
        routable: false,
        availability_zone: 'z9',
      });
      const started = await t.only(one.process_guid);
      expect(started).toMatchObject({
        actual_lrp_net_info: {
          address: '10.0.0.1',
          ports: [{ container_port: 8_080, host_port: 61_000 }],
          instance_address: '10.255.0.1',
          preferred_address: 'HOST',
        },
        actual_lrp_internal_routes: [{ hostname: 'app.internal' }],
        metric_tags: { a: 'b' },
        routable: false,
        availability_zone: 'z9',
      });
      expect(started.since).toBeGreaterThan(claimed.since);
      await cell.claim(one);
      expect(await t.only(one.process_guid)).toMatchObject({ state: 'CLAIMED', actual_lrp_net_info: { address: '' } });
    },
  },
  {
    name: 'the same start again changes nothing, not even the tag; another one counts but keeps since',
    fact: `no-op for an identical start (${DB} StartActualLRP)`,
    on: 'quiet',
    async steps(t) {
      const cell = await t.cell();
      const one = await inState(t, cell, 'RUNNING');
      const first = await t.only(one.process_guid);
      await cell.start(one);
      expect(await t.only(one.process_guid)).toEqual(first);
      await cell.start(one, { routable: false });
      const second = await t.only(one.process_guid);
      expect(second.routable).toBe(false);
      expect(second.modification_tag?.index).toBe((first.modification_tag?.index ?? 0) + 1);
      expect(second.modification_tag?.epoch).toBe(first.modification_tag?.epoch);
    },
  },
  {
    name: 'a start without word of routable is routable; the old start knows no routes and tags',
    fact: 'start.r1 and start (bbs handlers/actual_lrp_lifecycle_handler.go)',
    on: 'quiet',
    async steps(t) {
      const cell = await t.cell();
      const one = await inState(t, cell, 'CLAIMED');
      const { routable: _, ...silent } = cell.startRequest(one, { internal_routes: ['a'], metric_tags: { a: 'b' } });
      await t.bbs.call('start_r0', silent);
      expect(await t.only(one.process_guid)).toMatchObject({
        state: 'RUNNING',
        routable: true,
        actual_lrp_internal_routes: [],
        metric_tags: {},
      });
    },
  },
  {
    name: 'a start of what nobody desired makes a running row',
    fact: `createRunningActualLRP (${DB})`,
    on: 'quiet',
    async steps(t) {
      const cell = await t.cell();
      const one = t.instance(t.name('orphan'), 3);
      await cell.start(one);
      expect(await t.lrps(one.process_guid)).toMatchObject([
        { state: 'RUNNING', presence: 'ORDINARY', actual_lrp_key: { index: 3, domain: t.domain } },
      ]);
    },
  },
  {
    name: 'a claim of an unknown index is not found',
    fact: DB,
    on: 'quiet',
    async steps(t) {
      const cell = await t.cell();
      const guid = await t.desire();
      expect(await t.refusal(cell.claim(t.instance(guid, 7)))).toEqual({
        type: 'ResourceNotFound',
        message: 'the requested resource could not be found',
      });
      expect(await outcome(cell.crash(t.instance(guid, 7)))).toBe('ResourceNotFound');
    },
  },
  {
    name: 'errors of instances have their words',
    fact: 'bbs models/errors.go',
    on: 'quiet',
    async steps(t) {
      const cell = await t.cell();
      const one = await inState(t, cell, 'RUNNING');
      const other = { ...one, instance_guid: t.name('other') };
      const words = async (what: Move): Promise<string> => (await t.refusal(move(t, cell, other, what))).message;
      expect(await words('claim')).toBe('cannot claim actual LRP');
      expect(await words('start')).toBe('cannot start actual LRP');
      expect(await words('crash')).toBe('cannot crash actual LRP');
      expect(await words('fail')).toBe('cannot fail actual LRP');
    },
  },
  {
    name: 'a remove without instance takes whatever is there',
    fact: `RemoveActualLRP without instance key (${DB})`,
    on: 'quiet',
    async steps(t) {
      const cell = await t.cell();
      const one = await inState(t, cell, 'RUNNING');
      await t.bbs.call('remove', { process_guid: one.process_guid, index: 0 });
      expect(await t.lrps(one.process_guid)).toEqual([]);
    },
  },
  {
    name: 'calls that name too little are refused with the fields',
    fact: 'bbs models/actual_lrp_requests.go',
    on: 'quiet',
    async steps(t) {
      const key = { process_guid: 'p', index: 0, domain: 'd' };
      const instance = { instance_guid: 'i', cell_id: 'c' };
      const words = async (call: Promise<unknown>): Promise<string> => (await t.refusal(call)).message;
      expect(
        await words(t.bbs.call('claim', { process_guid: 'p', index: 0, actual_lrp_instance_key: { cell_id: 'c' } })),
      ).toBe('Invalid field: instance_guid');
      expect(await words(t.bbs.call('claim', { process_guid: '', index: 0, actual_lrp_instance_key: instance }))).toBe(
        'Invalid field: process_guid',
      );
      expect(await words(t.bbs.call('claim', { process_guid: 'p', index: 0 }))).toBe(
        'Invalid field: actual_lrp_instance_key',
      );
      expect(
        await words(
          t.bbs.call('start', { actual_lrp_key: key, actual_lrp_instance_key: instance, actual_lrp_net_info: {} }),
        ),
      ).toBe('Invalid field: address');
      expect(await words(t.bbs.call('start', { actual_lrp_key: key, actual_lrp_instance_key: instance }))).toBe(
        'Invalid field: actual_lrp_net_info',
      );
      expect(await words(t.bbs.call('fail', { actual_lrp_key: key }))).toBe('Invalid field: error_message');
      expect(
        await words(t.bbs.call('crash', { actual_lrp_key: { ...key, domain: '' }, actual_lrp_instance_key: instance })),
      ).toBe('Invalid field: domain');
      expect(await words(t.bbs.call('retire', {}))).toBe('Invalid field: actual_lrp_key');
    },
  },
  {
    name: 'a failure keeps its reason, cut, and moves since',
    fact: `placement_error cut at 1024 (${DB} FailActualLRP)`,
    on: 'quiet',
    async steps(t) {
      const cell = await t.cell();
      const one = await inState(t, cell, 'UNCLAIMED');
      const before = await t.only(one.process_guid);
      const { actual_lrp_key } = cell.keys(one);
      await t.bbs.call('fail', { actual_lrp_key, error_message: 'x'.repeat(3_000) });
      const after = await t.only(one.process_guid);
      expect(after.placement_error.length).toBe(1_024);
      expect(after.placement_error).toMatch(/^x{900}/);
      expect(after.since).toBeGreaterThan(before.since);
    },
  },
  {
    name: 'actual LRPs are listed by domain, cell, process and index, index 0 included',
    fact: `filters of ActualLRPsRequest (${DB} ActualLRPs)`,
    on: 'quiet',
    async steps(t) {
      const [a, b] = [await t.cell(), await t.cell()];
      const guid = t.name('proc');
      for (const [cell, index] of [
        [a, 0],
        [b, 1],
        [b, 2],
      ] as const)
        await cell.start(t.instance(guid, index));
      const list = async (request: { domain?: string; cell_id?: string; process_guid?: string; index?: number }) =>
        (await t.bbs.call('actual_lrps', request)).actual_lrps.map((row) => row.actual_lrp_key?.index).sort();
      expect(await list({ domain: t.domain })).toEqual([0, 1, 2]);
      expect(await list({ cell_id: b.id })).toEqual([1, 2]);
      expect(await list({ process_guid: guid, index: 0 })).toEqual([0]);
      expect(await list({ process_guid: guid, index: 9 })).toEqual([]);
      expect(await list({ domain: 'another', process_guid: guid })).toEqual([]);
    },
  },
  {
    name: 'the deprecated groups show the same rows',
    fact: 'bbs handlers/actual_lrp_handlers.go',
    on: 'quiet',
    async steps(t) {
      const cell = await t.cell();
      const one = await inState(t, cell, 'RUNNING');
      const { process_guid } = one;
      const row = await t.only(process_guid);
      const { actual_lrp_groups } = await t.bbs.call('actual_lrp_groups', { domain: t.domain });
      expect(actual_lrp_groups).toEqual([{ instance: row }]);
      const byGuid = await t.bbs.call('actual_lrp_groups_by_process_guid', { process_guid });
      expect(byGuid.actual_lrp_groups).toEqual([{ instance: row }]);
      const { actual_lrp_group } = await t.bbs.call('actual_lrp_group', { process_guid, index: 0 });
      expect(actual_lrp_group).toEqual({ instance: row });
      expect(await outcome(t.bbs.call('actual_lrp_group', { process_guid, index: 5 }))).toBe('ResourceNotFound');
    },
  },
  {
    name: 'a retired instance that runs is stopped on its cell and its row stays until the cell removes it',
    fact: 'RetireActualLRP (bbs controllers/actual_lrp_lifecycle_controller.go)',
    on: 'quiet',
    async steps(t) {
      const cell = await t.cell();
      const one = await inState(t, cell, 'RUNNING');
      const { actual_lrp_key } = cell.keys(one);
      await t.bbs.call('retire', { actual_lrp_key });
      const stops = cell.seen.filter(({ kind }) => kind === 'stop');
      expect(stops.map(({ path }) => path)).toEqual([
        `/v1/lrps/${one.process_guid}/instances/${one.instance_guid}/stop`,
      ]);
      expect(await t.lrps(one.process_guid)).toMatchObject([{ state: 'RUNNING' }]);
      await cell.remove(one);
      expect(await t.lrps(one.process_guid)).toEqual([]);
    },
  },
  {
    name: 'a retired instance that waits for a place is deleted at once',
    fact: 'RetireActualLRP (bbs controllers/actual_lrp_lifecycle_controller.go)',
    on: 'quiet',
    async steps(t) {
      const cell = await t.cell();
      const one = await inState(t, cell, 'UNCLAIMED');
      await t.bbs.call('retire', { actual_lrp_key: cell.keys(one).actual_lrp_key });
      expect(await t.lrps(one.process_guid)).toEqual([]);
      expect(cell.seen.filter(({ kind }) => kind === 'stop')).toEqual([]);
      expect(await outcome(t.bbs.call('retire', { actual_lrp_key: cell.keys(one).actual_lrp_key }))).toBe(
        'ResourceNotFound',
      );
    },
  },
  {
    name: 'a retired instance on a cell that is not there is deleted',
    fact: 'CellById not found: RemoveActualLRP (bbs controllers/actual_lrp_lifecycle_controller.go)',
    on: 'quiet',
    async steps(t) {
      const cell = await t.cell();
      const one = await inState(t, cell, 'RUNNING');
      await cell.withdraw();
      await t.bbs.call('retire', { actual_lrp_key: cell.keys(one).actual_lrp_key });
      expect(await t.lrps(one.process_guid)).toEqual([]);
    },
  },
  {
    name: 'a stop that the cell fails is tried five times, and then told',
    fact: 'retireActualLRP attempts (bbs controllers/actual_lrp_lifecycle_controller.go)',
    on: 'quiet',
    async steps(t) {
      const cell = await t.cell();
      const one = await inState(t, cell, 'RUNNING');
      cell.answers.stop = () => ({ status: 500 });
      expect(await t.refusal(t.bbs.call('retire', { actual_lrp_key: cell.keys(one).actual_lrp_key }))).toEqual({
        type: 'UnknownError',
        message: 'http error: status code 500 (Internal Server Error)',
      });
      expect(cell.seen.filter(({ kind }) => kind === 'stop').length).toBe(5);
      expect(await t.lrps(one.process_guid)).toMatchObject([{ state: 'RUNNING' }]);
    },
  },
  {
    name: 'a stop counts as taken only with status 202',
    fact: 'rep client.go StopLRPInstance',
    on: 'quiet',
    async steps(t) {
      const cell = await t.cell();
      const one = await inState(t, cell, 'RUNNING');
      cell.answers.stop = () => ({ status: 200 });
      expect(await outcome(t.bbs.call('retire', { actual_lrp_key: cell.keys(one).actual_lrp_key }))).toBe(
        'UnknownError',
      );
    },
  },
];
