import { expect } from '@jest/globals';
import type { Instance, TestCell } from '../../../support/diego/test-cell.js';
import type { ActualLRP, Bench } from './bench.js';
import type { Case } from './case.js';

const CONVERGENCE = 'bbs controllers/lrp_convergence_controller.go';
const LIFECYCLE = 'bbs controllers/actual_lrp_lifecycle_controller.go';

const shape = (rows: ActualLRP[]): string[] => rows.map(({ presence, state }) => `${presence} ${state}`);

/** A running instance whose cell has gone, and the cell that is to replace it. */
async function suspect(t: Bench): Promise<{ old: TestCell; spare: TestCell; one: Instance; guid: string }> {
  const old = await t.cell();
  const { guid, on } = await t.running([old]);
  const one = on[0]?.one ?? t.instance(guid);
  const spare = await t.cell();
  await t.noticed();
  await old.withdraw();
  await t.rows(guid, 'is suspect', (rows) => shape(rows).includes('SUSPECT RUNNING'));
  await t.work(spare, guid);
  return { old, spare, one, guid };
}

export const suspectCases: Case[] = [
  {
    name: 'an instance on a missing cell becomes suspect and is replaced; the replacement ends it',
    fact: `${CONVERGENCE}, StartActualLRP removes the suspect (${LIFECYCLE})`,
    async steps(t) {
      const { old, spare, one, guid } = await suspect(t);
      expect(shape(await t.lrps(guid))).toEqual(['ORDINARY UNCLAIMED', 'SUSPECT RUNNING']);
      const fresh = t.instance(guid);
      await spare.claim(fresh);
      expect(shape(await t.lrps(guid))).toEqual(['ORDINARY CLAIMED', 'SUSPECT RUNNING']);
      await spare.start(fresh);
      expect(await t.lrps(guid)).toMatchObject([
        { presence: 'ORDINARY', state: 'RUNNING', actual_lrp_instance_key: { cell_id: spare.id } },
      ]);
      expect(await t.refusal(old.crash(one))).toMatchObject({ type: 'ActualLRPCannotBeCrashed' });
      expect(await t.refusal(old.remove(one))).toMatchObject({ type: 'ResourceNotFound' });
    },
  },
  {
    name: 'a suspect whose cell comes back is ordinary again and its replacement goes',
    fact: `PromoteSuspectActualLRP (${CONVERGENCE})`,
    async steps(t) {
      const { old, spare, one, guid } = await suspect(t);
      await old.present();
      await t.rows(guid, 'is ordinary again', (rows) => shape(rows).join() === 'ORDINARY RUNNING');
      expect(await t.only(guid)).toMatchObject({
        actual_lrp_instance_key: { instance_guid: one.instance_guid, cell_id: old.id },
      });
      expect(await t.refusal(spare.claim(t.instance(guid)))).toMatchObject({ type: 'ActualLRPCannotBeClaimed' });
    },
  },
  {
    name: 'a claimed replacement also goes when the suspect comes back',
    fact: `PromoteSuspectActualLRP (${CONVERGENCE})`,
    async steps(t) {
      const { old, spare, guid } = await suspect(t);
      const fresh = t.instance(guid);
      await spare.claim(fresh);
      await old.present();
      await t.rows(guid, 'is ordinary again', (rows) => shape(rows).join() === 'ORDINARY RUNNING');
      expect(await t.refusal(spare.start(fresh))).toMatchObject({ type: 'ActualLRPCannotBeStarted' });
    },
  },
  {
    name: 'claim and start by a suspect are accepted and do nothing',
    fact: LIFECYCLE,
    async steps(t) {
      const { old, one, guid } = await suspect(t);
      const before = await t.lrps(guid);
      await old.claim(one);
      await old.start(one, { routable: false });
      expect(await t.lrps(guid)).toEqual(before);
    },
  },
  {
    name: 'a suspect that crashes is deleted, and nothing is counted',
    fact: `CrashActualLRP of a suspect (${LIFECYCLE})`,
    async steps(t) {
      const { old, one, guid } = await suspect(t);
      await old.crash(one);
      expect(await t.lrps(guid)).toMatchObject([{ presence: 'ORDINARY', state: 'UNCLAIMED', crash_count: 0 }]);
    },
  },
  {
    name: 'an instance that was only claimed becomes suspect as well',
    fact: `LRPs with missing cells (bbs db/sqldb/lrp_convergence.go)`,
    async steps(t) {
      const old = await t.cell();
      const guid = await t.desire();
      await t.work(old, guid);
      await old.claim(t.instance(guid));
      const spare = await t.cell();
      await t.noticed();
      await old.withdraw();
      await t.work(spare, guid);
      expect(shape(await t.lrps(guid))).toEqual(['ORDINARY UNCLAIMED', 'SUSPECT CLAIMED']);
    },
  },
  {
    name: 'a suspect of what is no longer desired is deleted',
    fact: CONVERGENCE,
    async steps(t) {
      const { guid } = await suspect(t);
      await t.bbs.call('upsert_domain', { domain: t.domain, ttl: 0 });
      await t.bbs.call('remove_lrp', { process_guid: guid });
      await t.rows(guid, 'is gone', (rows) => rows.length === 0);
    },
  },
  {
    name: 'a task on a missing cell fails',
    fact: 'failTasksWithDisappearedCells (bbs db/sqldb/task_convergence.go)',
    async steps(t) {
      const cell = await t.cell();
      const callback = t.name('callback');
      const guid = await t.desireTask({ completion_callback_url: t.callbacks.url(callback) });
      await t.bbs.call('start_task', { task_guid: guid, cell_id: cell.id });
      // An auction under way would still reject it once the cell is gone.
      await t.rounds(1);
      await cell.withdraw();
      const [first] = await t.callbacks.wait(callback, t.times.patience_ms + t.times.kick_ms);
      expect(first?.body).toMatchObject({ failed: true, failure_reason: 'cell disappeared before completion' });
    },
  },
  {
    name: 'when no cell at all is left, every instance is suspect',
    fact: 'no filter with an empty set of cells (bbs db/sqldb/queries.go selectLRPsWithMissingCells)',
    alone: true,
    async steps(t) {
      const cell = await t.cell();
      const { guid } = await t.running([cell]);
      try {
        await t.ground.anchor.withdraw();
        await cell.withdraw();
        await t.rows(guid, 'is suspect', (rows) => shape(rows).includes('SUSPECT RUNNING'));
        await cell.present();
        await t.rows(guid, 'is ordinary again', (rows) => shape(rows).join() === 'ORDINARY RUNNING');
      } finally {
        await t.ground.anchor.present();
      }
    },
  },
];
