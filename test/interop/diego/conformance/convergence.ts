import { expect } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import type { Seen, TestCell } from '../../../support/diego/test-cell.js';
import type { Bench } from './bench.js';
import type { Case } from './case.js';

const CONVERGENCE = 'bbs controllers/lrp_convergence_controller.go';
const HANDLER = 'bbs handlers/desired_lrp_handlers.go';

const stops = (cell: TestCell): Seen[] => cell.seen.filter(({ kind }) => kind === 'stop');
const updates = (cell: TestCell): Seen[] => cell.seen.filter(({ kind }) => kind === 'update');
const internal = (hostname: string) => ({ routes: { 'internal-router': Buffer.from(JSON.stringify([{ hostname }])) } });
const fresh = (t: Bench): Promise<unknown> => t.bbs.call('upsert_domain', { domain: t.domain, ttl: 0 });
const waitStops = (t: Bench, cell: TestCell, count: number): Promise<Seen[]> =>
  cell.seen.wait('stop', t.times.patience_ms, ({ kind }) => kind === 'stop', count);

export const convergenceCases: Case[] = [
  {
    name: 'an index that is missing is made anew and auctioned',
    fact: `missing indices (${CONVERGENCE})`,
    async steps(t) {
      const cell = await t.cell();
      const { guid, on } = await t.running([cell], { instances: 2 });
      const second = on[1];
      if (second) await cell.remove(second.one);
      await t.placed([cell], guid, 3);
      expect((await t.lrps(guid)).map(({ state }) => state)).toEqual(['RUNNING', 'UNCLAIMED']);
    },
  },
  {
    name: 'an index that is missing is not made anew before convergence',
    fact: `RemoveActualLRP requests no auction (${CONVERGENCE})`,
    on: 'quiet',
    async steps(t) {
      const cell = await t.cell();
      const { guid, on } = await t.running([cell]);
      if (on[0]) await cell.remove(on[0].one);
      await delay(300);
      expect(await t.lrps(guid)).toEqual([]);
      expect(t.worked(cell, guid).length).toBe(1);
    },
  },
  {
    name: 'an index too many is stopped while its domain is fresh',
    fact: `extra indices (bbs db/sqldb/lrp_convergence.go)`,
    async steps(t) {
      const cell = await t.cell();
      const { guid } = await t.running([cell]);
      const extra = t.instance(guid, 4);
      await cell.start(extra);
      await t.rounds(2);
      expect(stops(cell)).toEqual([]);
      await fresh(t);
      const [stop] = await waitStops(t, cell, 1);
      expect(stop?.path).toBe(`/v1/lrps/${guid}/instances/${extra.instance_guid}/stop`);
      await cell.remove(extra);
      expect((await t.lrps(guid)).length).toBe(1);
    },
  },
  {
    name: 'an instance that nobody desires is stopped while its domain is fresh',
    fact: `orphaned actual LRPs (bbs db/sqldb/lrp_convergence.go)`,
    async steps(t) {
      const cell = await t.cell();
      const orphan = t.instance(t.name('orphan'));
      await cell.start(orphan);
      await t.rounds(2);
      expect(stops(cell)).toEqual([]);
      expect((await t.lrps(orphan.process_guid)).length).toBe(1);
      await fresh(t);
      await waitStops(t, cell, 2);
      await cell.remove(orphan);
      expect(await t.lrps(orphan.process_guid)).toEqual([]);
    },
  },
  {
    name: 'an instance that is desired is left alone when its domain goes stale',
    fact: CONVERGENCE,
    async steps(t) {
      const cell = await t.cell();
      await t.bbs.call('upsert_domain', { domain: t.domain, ttl: 1 });
      const { guid } = await t.running([cell]);
      await delay(1_500);
      await t.rounds(1);
      expect(stops(cell)).toEqual([]);
      expect(await t.only(guid)).toMatchObject({ state: 'RUNNING' });
    },
  },
  {
    name: 'a retired instance is replaced at the next convergence',
    fact: `missing indices (${CONVERGENCE})`,
    async steps(t) {
      const cell = await t.cell();
      const { guid, on } = await t.running([cell]);
      const one = on[0]?.one ?? t.instance(guid);
      await t.bbs.call('retire', { actual_lrp_key: cell.keys(one).actual_lrp_key });
      await waitStops(t, cell, 1);
      await cell.remove(one);
      await t.work(cell, guid, 2);
      expect(await t.only(guid)).toMatchObject({ state: 'UNCLAIMED', crash_count: 0 });
    },
  },
  {
    name: 'scaling up auctions the new indices at once',
    fact: `startInstanceRange (${HANDLER})`,
    on: 'quiet',
    async steps(t) {
      const cell = await t.cell();
      const { guid } = await t.running([cell]);
      await t.bbs.call('update_lrp', { process_guid: guid, update: { instances: 3 } });
      const placed = await t.placed([cell], guid, 3);
      expect(placed.map(({ one }) => one.index)).toEqual([0, 1, 2]);
      expect((await t.lrps(guid)).map(({ state }) => state)).toEqual(['RUNNING', 'UNCLAIMED', 'UNCLAIMED']);
    },
  },
  {
    name: 'scaling down stops the highest that run and deletes those that wait',
    fact: `stopInstancesFrom (${HANDLER})`,
    on: 'quiet',
    async steps(t) {
      const cell = await t.cell();
      const guid = await t.desire({ instances: 4 });
      const placed = await t.placed([cell], guid, 4);
      for (const { one } of placed.slice(0, 3)) await cell.start(one);
      await t.bbs.call('update_lrp', { process_guid: guid, update: { instances: 1 } });
      const seen = await waitStops(t, cell, 2);
      const paths = placed.slice(1, 3).map(({ one }) => `/v1/lrps/${guid}/instances/${one.instance_guid}/stop`);
      expect(seen.map(({ path }) => path).sort()).toEqual(paths.sort());
      const rows = await t.rows(guid, 'lost index 3', (found) => found.length === 3);
      expect(rows.map((row) => row.actual_lrp_key?.index)).toEqual([0, 1, 2]);
    },
  },
  {
    name: 'scaling to none and back works',
    fact: HANDLER,
    on: 'quiet',
    async steps(t) {
      const cell = await t.cell();
      const { guid, on } = await t.running([cell]);
      await t.bbs.call('update_lrp', { process_guid: guid, update: { instances: 0 } });
      await waitStops(t, cell, 1);
      if (on[0]) await cell.remove(on[0].one);
      await t.bbs.call('update_lrp', { process_guid: guid, update: { instances: 1 } });
      await t.work(cell, guid, 2);
      expect(await t.only(guid)).toMatchObject({ state: 'UNCLAIMED' });
    },
  },
  {
    name: 'removing a desired LRP stops what runs and deletes what waits or crashed',
    fact: `RemoveDesiredLRP (${HANDLER})`,
    on: 'quiet',
    async steps(t) {
      const cell = await t.cell();
      const guid = await t.desire({ instances: 3 });
      const placed = await t.placed([cell], guid, 3);
      const [runs, dies] = placed;
      if (runs) await cell.start(runs.one);
      for (let time = 1; dies && time <= 3; time++) {
        const one = t.instance(guid, dies.one.index);
        await cell.claim(one);
        await cell.crash(one);
      }
      expect((await t.lrps(guid)).map(({ state }) => state)).toEqual(['RUNNING', 'CRASHED', 'UNCLAIMED']);
      await t.bbs.call('remove_lrp', { process_guid: guid });
      await waitStops(t, cell, 1);
      await t.rows(guid, 'keeps only what runs', (rows) => rows.map(({ state }) => state).join() === 'RUNNING');
      expect(await t.refusal(t.bbs.call('desired_lrp', { process_guid: guid }))).toMatchObject({
        type: 'ResourceNotFound',
      });
    },
  },
  {
    name: 'new internal routes are put to every instance at once, tags left out',
    fact: `UpdateLRPInstance (${HANDLER})`,
    on: 'quiet',
    async steps(t) {
      const cell = await t.cell();
      const { guid, on } = await t.running([cell], { instances: 2, routes: internal('old.internal') });
      await t.bbs.call('update_lrp', { process_guid: guid, update: { routes: internal('new.internal') } });
      const seen = await cell.seen.wait('update', t.times.patience_ms, ({ kind }) => kind === 'update', 2);
      expect(seen.map(({ path }) => path).sort()).toEqual(
        on.map(({ one }) => `/v2/lrps/${guid}/instances/${one.instance_guid}`).sort(),
      );
      for (const { body } of seen) {
        expect(body).toMatchObject({
          process_guid: guid,
          domain: t.domain,
          internal_routes: [{ hostname: 'new.internal' }],
          metric_tags: null,
        });
      }
    },
  },
  {
    name: 'new tags are put to the instance at once, resolved, routes left out',
    fact: `UpdateLRPInstance (${HANDLER})`,
    on: 'quiet',
    async steps(t) {
      const cell = await t.cell();
      const { guid, on } = await t.running([cell]);
      await t.bbs.call('update_lrp', {
        process_guid: guid,
        update: {
          metric_tags: {
            source_id: { static: `log-${guid}` },
            app: { static: 'new' },
            index: { dynamic: 'INDEX' },
            instance: { dynamic: 'INSTANCE_GUID' },
          },
        },
      });
      const [seen] = await cell.seen.wait('update', t.times.patience_ms, ({ kind }) => kind === 'update');
      expect(seen?.body).toMatchObject({
        internal_routes: null,
        metric_tags: { app: 'new', index: '0', instance: on[0]?.one.instance_guid },
      });
    },
  },
  {
    name: 'internal routes are put again at each convergence until the instance has them',
    fact: `LRPs with internal route changes (${CONVERGENCE})`,
    async steps(t) {
      const cell = await t.cell();
      const { guid, on } = await t.running([cell], { routes: internal('wanted.internal') });
      const seen = await cell.seen.wait('update', t.times.patience_ms, ({ kind }) => kind === 'update', 2);
      expect(seen[0]?.body).toMatchObject({ internal_routes: [{ hostname: 'wanted.internal' }], metric_tags: null });
      if (on[0]) await cell.start(on[0].one, { internal_routes: ['wanted.internal'] });
      await t.rounds(1);
      const before = updates(cell).length;
      await t.rounds(2);
      expect(updates(cell).length).toBe(before);
      expect((await t.only(guid)).actual_lrp_internal_routes).toEqual([{ hostname: 'wanted.internal' }]);
    },
  },
  {
    name: 'tags are put again at each convergence until the instance has them',
    fact: `LRPs with metric tag changes (${CONVERGENCE})`,
    async steps(t) {
      const cell = await t.cell();
      const metric_tags = { source_id: { static: 's' }, app: { static: 'wanted' } };
      const guid = await t.desire({ metrics_guid: 's', metric_tags });
      await t.work(cell, guid);
      const one = t.instance(guid);
      await cell.start(one, { metric_tags: { source_id: 's', app: 'old' } });
      const seen = await cell.seen.wait('update', t.times.patience_ms, ({ kind }) => kind === 'update', 2);
      expect(seen[0]?.body).toMatchObject({ internal_routes: null, metric_tags: { source_id: 's', app: 'wanted' } });
      await cell.start(one, { metric_tags: { source_id: 's', app: 'wanted' } });
      await t.rounds(1);
      const before = updates(cell).length;
      await t.rounds(2);
      expect(updates(cell).length).toBe(before);
    },
  },
  {
    name: 'an instance started without tags is never asked to change them',
    fact: 'empty metric_tags are not compared (bbs db/sqldb/lrp_convergence.go)',
    async steps(t) {
      const cell = await t.cell();
      await t.running([cell], { metrics_guid: 's', metric_tags: { source_id: { static: 's' } } });
      await t.rounds(3);
      expect(updates(cell)).toEqual([]);
    },
  },
  {
    name: 'an orphan whose cell fails to stop it is asked five times at each convergence',
    fact: 'retireActualLRP attempts (bbs controllers/actual_lrp_lifecycle_controller.go)',
    async steps(t) {
      const cell = await t.cell();
      cell.answers.stop = () => ({ status: 500 });
      const orphan = t.instance(t.name('orphan'));
      await fresh(t);
      await cell.start(orphan);
      const seen = await waitStops(t, cell, 10);
      const gaps = seen.slice(1).map(({ at }, i) => at - (seen[i]?.at ?? at));
      expect(gaps.filter((gap) => gap > t.times.converge_ms / 2).length).toBe(1);
      cell.answers.stop = () => ({ status: 202 });
      await cell.remove(orphan);
    },
  },
  {
    name: 'what the BBS knew it knows after a restart, and goes on from there',
    fact: 'all rows are in the database (bbs db/sqldb)',
    alone: true,
    async steps(t) {
      const cell = await t.cell();
      const { guid, on } = await t.running([cell], { instances: 2 });
      const task = await t.desireTask();
      await t.bbs.call('start_task', { task_guid: task, cell_id: cell.id });
      await fresh(t);
      const before = [await t.lrps(guid), await t.getTask(task)];
      const { diego } = t.ground;
      await diego.stop('bbs');
      await diego.start('bbs');
      expect([await t.lrps(guid), await t.getTask(task)]).toEqual(before);
      expect((await t.bbs.call('domains', undefined)).domains).toContain(t.domain);
      await t.until('the cell is present', async () => {
        const { cells } = await t.bbs.call('cells', undefined);
        return cells.some(({ cell_id }) => cell_id === cell.id);
      });
      if (on[1]) await cell.crash(on[1].one);
      await t.placed([cell], guid, 3);
    },
  },
];
