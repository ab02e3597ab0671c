import { expect } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import type { Instance, TestCell } from '../../../support/diego/test-cell.js';
import type { ActualLRP, Bench } from './bench.js';
import type { Case } from './case.js';

const SOURCE = 'bbs controllers/evacuation_controller.go';

const shape = (rows: ActualLRP[]): string[] => rows.map(({ presence, state }) => `${presence} ${state}`);

async function evacuate(t: Bench, cell: TestCell, one: Instance): Promise<boolean> {
  const { keep_container } = await t.bbs.call('evacuate_running', cell.startRequest(one));
  return keep_container;
}

/** A running instance on a cell that is about to leave, and the cell that takes what it gives up. */
async function leaving(t: Bench): Promise<{ old: TestCell; spare: TestCell; one: Instance; guid: string }> {
  const old = await t.cell();
  const { guid, on } = await t.running([old]);
  old.evacuating = true;
  const spare = await t.cell();
  await t.noticed();
  return { old, spare, guid, one: on[0]?.one ?? t.instance(guid) };
}

export const evacuationCases: Case[] = [
  {
    name: 'a running instance is kept while its replacement is made, and let go when that runs',
    fact: `EvacuateRunningActualLRP (${SOURCE})`,
    async steps(t) {
      const { old, spare, one, guid } = await leaving(t);
      expect(await evacuate(t, old, one)).toBe(true);
      await t.work(spare, guid);
      expect(shape(await t.lrps(guid))).toEqual(['EVACUATING RUNNING', 'ORDINARY UNCLAIMED']);
      expect(await evacuate(t, old, one)).toBe(true);
      const fresh = t.instance(guid);
      await spare.claim(fresh);
      expect(await evacuate(t, old, one)).toBe(true);
      expect(shape(await t.lrps(guid))).toEqual(['EVACUATING RUNNING', 'ORDINARY CLAIMED']);
      await spare.start(fresh);
      expect(await t.lrps(guid)).toMatchObject([
        { presence: 'ORDINARY', state: 'RUNNING', actual_lrp_instance_key: { cell_id: spare.id } },
      ]);
      expect(await evacuate(t, old, one)).toBe(false);
    },
  },
  {
    name: 'the evacuating row stays as it was but for its presence',
    fact: 'EvacuateActualLRP (bbs db/sqldb/evacuation_db.go)',
    on: 'quiet',
    async steps(t) {
      const { old, one, guid } = await leaving(t);
      const before = await t.only(guid);
      await t.bbs.call('evacuate_running', old.startRequest(one, { address: '10.9.9.9', metric_tags: { k: 'v' } }));
      const [evacuating, ordinary] = await t.lrps(guid);
      expect(evacuating).toMatchObject({
        presence: 'EVACUATING',
        state: 'RUNNING',
        actual_lrp_instance_key: before.actual_lrp_instance_key,
        actual_lrp_net_info: before.actual_lrp_net_info,
        metric_tags: {},
      });
      expect(ordinary).toMatchObject({
        state: 'UNCLAIMED',
        actual_lrp_instance_key: { cell_id: '', instance_guid: '' },
      });
    },
  },
  {
    name: 'evacuating again changes the row to what the cell says now, but for routable and the zone',
    fact: 'the update of an evacuating row leaves routable and availability_zone out (bbs db/sqldb/evacuation_db.go)',
    on: 'quiet',
    async steps(t) {
      const { old, one, guid } = await leaving(t);
      expect(await evacuate(t, old, one)).toBe(true);
      const said = { address: '10.9.9.9', metric_tags: { k: 'v' }, internal_routes: ['a.internal'], routable: false };
      await t.bbs.call('evacuate_running', old.startRequest(one, { ...said, availability_zone: 'z9' }));
      expect((await t.lrps(guid))[0]).toMatchObject({
        presence: 'EVACUATING',
        actual_lrp_net_info: { address: '10.9.9.9' },
        actual_lrp_internal_routes: [{ hostname: 'a.internal' }],
        metric_tags: { k: 'v' },
        routable: true,
        availability_zone: 'z1',
      });
    },
  },
  {
    name: 'the deprecated group shows the row that is evacuating beside the other',
    fact: 'ActualLRPGroup.evacuating (bbs models/actual_lrp_group.go)',
    on: 'quiet',
    async steps(t) {
      const { old, one, guid } = await leaving(t);
      await evacuate(t, old, one);
      const { actual_lrp_group } = await t.bbs.call('actual_lrp_group', { process_guid: guid, index: 0 });
      expect(actual_lrp_group?.evacuating?.presence).toBe('EVACUATING');
      expect(actual_lrp_group?.instance).toMatchObject({ presence: 'ORDINARY', state: 'UNCLAIMED' });
    },
  },
  {
    name: 'when the replacement has crashed for good, the old instance is let go',
    fact: `a replacement RUNNING or CRASHED ends the evacuation (${SOURCE})`,
    async steps(t) {
      const { old, spare, one, guid } = await leaving(t);
      expect(await evacuate(t, old, one)).toBe(true);
      for (let time = 1; time <= 3; time++) {
        await t.work(spare, guid, time);
        const fresh = t.instance(guid);
        await spare.claim(fresh);
        await spare.crash(fresh);
      }
      expect(shape(await t.lrps(guid))).toEqual(['EVACUATING RUNNING', 'ORDINARY CRASHED']);
      expect(await evacuate(t, old, one)).toBe(false);
      expect(shape(await t.lrps(guid))).toEqual(['ORDINARY CRASHED']);
    },
  },
  {
    name: 'an instance of what is no longer desired is let go once convergence has seen it',
    fact: `${SOURCE}; unclaimed orphans are deleted (bbs controllers/lrp_convergence_controller.go)`,
    async steps(t) {
      const { old, one, guid } = await leaving(t);
      await t.bbs.call('upsert_domain', { domain: t.domain, ttl: 0 });
      await t.bbs.call('remove_lrp', { process_guid: guid });
      expect(await evacuate(t, old, one)).toBe(true);
      await t.rows(guid, 'has no ordinary row', (rows) => shape(rows).join() === 'EVACUATING RUNNING');
      expect(await evacuate(t, old, one)).toBe(false);
      expect(await t.lrps(guid)).toEqual([]);
    },
  },
  {
    name: 'an instance that the BBS does not know need not be kept',
    fact: SOURCE,
    on: 'quiet',
    async steps(t) {
      const cell = await t.cell();
      const guid = await t.desire({ instances: 0 });
      expect(await evacuate(t, cell, t.instance(guid))).toBe(false);
    },
  },
  {
    name: 'an evacuated claim is auctioned at once',
    fact: `EvacuateClaimedActualLRP unclaims and requests an auction (${SOURCE})`,
    on: 'quiet',
    async steps(t) {
      const old = await t.cell();
      const guid = await t.desire();
      await t.work(old, guid);
      const one = t.instance(guid);
      await old.claim(one);
      old.evacuating = true;
      const spare = await t.cell();
      await t.noticed();
      expect(await t.bbs.call('evacuate_claimed', old.keys(one))).toMatchObject({ keep_container: false });
      await t.work(spare, guid);
      expect(await t.only(guid)).toMatchObject({ state: 'UNCLAIMED', crash_count: 0 });
    },
  },
  {
    name: 'evacuate_claimed also gives up an instance that runs',
    fact: SOURCE,
    on: 'quiet',
    async steps(t) {
      const { old, spare, one, guid } = await leaving(t);
      await t.bbs.call('evacuate_claimed', old.keys(one));
      await t.work(spare, guid);
      expect(shape(await t.lrps(guid))).toEqual(['ORDINARY UNCLAIMED']);
    },
  },
  {
    name: 'an instance that stopped while evacuating is removed and made anew by convergence',
    fact: `EvacuateStoppedActualLRP removes the row (${SOURCE})`,
    async steps(t) {
      const { old, spare, one, guid } = await leaving(t);
      await t.bbs.call('evacuate_stopped', old.keys(one));
      await t.work(spare, guid);
      expect(await t.only(guid)).toMatchObject({ state: 'UNCLAIMED', crash_count: 0 });
    },
  },
  {
    name: 'an instance that stopped while evacuating is not made anew before convergence',
    fact: `EvacuateStoppedActualLRP requests no auction (${SOURCE})`,
    on: 'quiet',
    async steps(t) {
      const { old, spare, one, guid } = await leaving(t);
      expect(await t.bbs.call('evacuate_stopped', old.keys(one))).toMatchObject({ keep_container: false });
      await delay(300);
      expect(await t.lrps(guid)).toEqual([]);
      expect(t.worked(spare, guid)).toEqual([]);
    },
  },
  {
    name: 'a crash while evacuating counts but is not auctioned until it is stale',
    fact: `EvacuateCrashedActualLRP requests no auction (${SOURCE})`,
    long: true,
    async steps(t) {
      const { old, spare, one, guid } = await leaving(t);
      const crashed = Date.now();
      await t.bbs.call('evacuate_crashed', { ...old.keys(one), error_message: 'it died leaving' });
      expect(await t.only(guid)).toMatchObject({ state: 'UNCLAIMED', crash_count: 1, crash_reason: 'it died leaving' });
      const [seen] = await t.work(spare, guid, 1, t.times.stale_ms + t.times.patience_ms);
      expect((seen?.at ?? 0) - crashed).toBeGreaterThan(t.times.stale_ms * 0.95);
    },
  },
  {
    name: 'a crash while evacuating needs a reason',
    fact: 'EvacuateCrashedActualLRPRequest.Validate (bbs models/evacuation_requests.go)',
    on: 'quiet',
    async steps(t) {
      const { old, one } = await leaving(t);
      expect(await t.refusal(t.bbs.call('evacuate_crashed', { ...old.keys(one) }))).toEqual({
        type: 'InvalidRequest',
        message: 'Invalid field: error_message',
      });
    },
  },
  {
    name: 'what is not this instance is not found',
    fact: SOURCE,
    on: 'quiet',
    async steps(t) {
      const { old, one, guid } = await leaving(t);
      const other = { ...one, instance_guid: t.name('other') };
      const type = async (call: Promise<unknown>): Promise<string> => (await t.refusal(call)).type;
      const before = await t.lrps(guid);
      expect(await type(t.bbs.call('evacuate_stopped', old.keys(other)))).toBe('ResourceNotFound');
      expect(await type(t.bbs.call('remove_evacuating', old.keys(one)))).toBe('ResourceNotFound');
      expect(await t.lrps(guid)).toEqual(before);
    },
  },
  {
    name: 'an evacuating row is removed by its own instance only',
    fact: 'RemoveEvacuatingActualLRP (bbs db/sqldb/evacuation_db.go)',
    on: 'quiet',
    async steps(t) {
      const { old, one, guid } = await leaving(t);
      await evacuate(t, old, one);
      const other = { ...one, instance_guid: t.name('other') };
      expect(await t.refusal(t.bbs.call('remove_evacuating', old.keys(other)))).toMatchObject({
        type: 'ResourceNotFound',
      });
      await t.bbs.call('remove_evacuating', old.keys(one));
      expect(shape(await t.lrps(guid))).toEqual(['ORDINARY UNCLAIMED']);
    },
  },
  {
    name: 'when the desired LRP is removed, an evacuating instance is not stopped',
    fact: 'stopInstancesFrom leaves evacuating rows alone (bbs handlers/desired_lrp_handlers.go)',
    on: 'quiet',
    async steps(t) {
      const { old, one, guid } = await leaving(t);
      await evacuate(t, old, one);
      await t.bbs.call('remove_lrp', { process_guid: guid });
      await t.rows(guid, 'has no ordinary row', (rows) => shape(rows).join() === 'EVACUATING RUNNING');
      expect(old.seen.filter(({ kind }) => kind === 'stop')).toEqual([]);
    },
  },
  {
    name: 'an evacuating row whose cell is gone is pruned',
    fact: 'pruneEvacuatingActualLRPs (bbs db/sqldb/lrp_convergence.go)',
    async steps(t) {
      const { old, spare, one, guid } = await leaving(t);
      await evacuate(t, old, one);
      await t.work(spare, guid);
      await old.withdraw();
      await t.rows(guid, 'lost its evacuating row', (rows) => shape(rows).join() === 'ORDINARY UNCLAIMED');
    },
  },
  {
    name: 'three instances of three are evacuated one by one',
    fact: SOURCE,
    async steps(t) {
      const old = await t.cell();
      const { guid, on } = await t.running([old], { instances: 3 });
      old.evacuating = true;
      const spare = await t.cell();
      await t.noticed();
      for (const { one } of on) {
        expect(await evacuate(t, old, one)).toBe(true);
        const placed = await t.placed([spare], guid, one.index + 1);
        const fresh = placed[one.index]?.one;
        if (fresh) {
          await spare.claim(fresh);
          await spare.start(fresh);
        }
        expect(await evacuate(t, old, one)).toBe(false);
      }
      const rows = await t.lrps(guid);
      expect(rows.map((row) => row.actual_lrp_instance_key?.cell_id)).toEqual([spare.id, spare.id, spare.id]);
    },
  },
];
