/** Whatever happens, in whatever order: after one bulk pass every machine has its row and every row its machine. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { BbsError } from '../../../backend/wire/bbs.js';
import { anLrp, aTask } from '../../support/cell/samples.js';
import { flush, makeCell } from '../../support/cell/reconciler.js';
import { unreachable } from '../../support/cell/fake-bbs.js';

type World = ReturnType<typeof makeCell> & {
  reconciler: ReturnType<ReturnType<typeof makeCell>['make']>;
  made: number;
};
type Happening = (world: World, pick: number) => void | Promise<void>;

const any = (world: World, pick: number): string | undefined => {
  const all = world.containers.list();
  return all[pick % Math.max(1, all.length)]?.reservation.guid;
};
const index = (pick: number): number => pick % 3;
const name = (pick: number): string => `proc-1/${index(pick)}`;
const task = (pick: number): string => `task-${pick % 3}`;
const elsewhere = { instance_guid: 'other', cell_id: 'cell-b' };
const key = (pick: number) => ({ process_guid: 'proc-1', index: index(pick), domain: 'cf-apps' });

const HAPPENINGS: Record<string, Happening> = {
  desire: ({ bbs }, pick) => bbs.desire('proc-1', index(pick)),
  undesire: ({ bbs }) => void bbs.desired.delete('proc-1'),
  desireTask: ({ bbs }, pick) => bbs.desireTask(task(pick)),
  lrpWork: (world, pick) => world.containers.reserve(anLrp(`inst-${++world.made}`, index(pick))),
  taskWork: ({ containers }, pick) => {
    if (!containers.get(task(pick))) containers.reserve(aTask(task(pick)));
  },
  boot: (world, pick) => world.containers.boot(any(world, pick) ?? ''),
  healthy: (world, pick) => world.containers.healthy(any(world, pick) ?? '', pick % 2 === 0),
  routable: (world, pick) => world.containers.setRoutable(any(world, pick) ?? '', pick % 2 === 0),
  exit: (world, pick) =>
    world.containers.exit(any(world, pick) ?? '', { failed: pick % 2 === 0, reason: 'r', retryable: pick % 3 === 0 }),
  stop: (world, pick) => {
    const guid = any(world, pick);
    if (guid !== undefined) world.containers.stop(guid);
  },
  cancel: ({ bbs, containers }, pick) => {
    const row = bbs.tasks.get(task(pick));
    if (row) Object.assign(row, { state: 'Completed', failed: true, cell_id: '' });
    if (pick % 2 === 0) void containers.delete(task(pick));
  },
  forgetTask: ({ bbs }, pick) => void bbs.tasks.delete(task(pick)),
  /** A retirement that never reached the cell, or convergence at work. */
  dropRow: ({ bbs }, pick) => void bbs.rows.delete(name(pick)),
  dropEvacuating: ({ bbs }, pick) => void bbs.evacuating.delete(name(pick)),
  /** Another cell was faster, or took over. */
  stolen: ({ bbs }, pick) => {
    const row = bbs.rows.get(name(pick));
    if (row) bbs.rows.set(name(pick), { ...row, state: 'RUNNING', ...elsewhere });
  },
  unclaimed: ({ bbs }, pick) => {
    const row = bbs.rows.get(name(pick));
    if (row) bbs.rows.set(name(pick), { ...row, state: 'UNCLAIMED', instance_guid: '', cell_id: '' });
  },
  /** A row of ours that no container ever had. */
  phantom: ({ bbs }, pick) => {
    const fresh = {
      crash_count: 0,
      crash_reason: '',
      routable: true,
      instance_guid: `ghost-${pick}`,
      cell_id: 'cell-a',
    };
    bbs.rows.set(name(pick), { ...key(pick), state: 'RUNNING', ...fresh });
  },
  phantomTask: ({ bbs }, pick) => {
    bbs.desireTask(task(pick));
    Object.assign(bbs.tasks.get(task(pick)) ?? {}, { state: 'Running', cell_id: 'cell-a' });
  },
  replaced: async ({ bbs }, pick) => {
    const row = bbs.rows.get(name(pick));
    if (row?.state !== 'UNCLAIMED') return;
    bbs.rows.set(name(pick), { ...row, state: 'RUNNING', ...elsewhere });
  },
  outage: ({ bbs }) => {
    bbs.fault = unreachable;
  },
  lostAnswers: ({ bbs }) => {
    bbs.fault = (_call, when) => {
      if (when === 'after') unreachable();
    };
  },
  databaseFails: ({ bbs }) => {
    bbs.fault = () => {
      throw new BbsError('UnknownError', 'database');
    };
  },
  mended: ({ bbs }) => {
    bbs.fault = () => undefined;
  },
  defiant: ({ containers }) => {
    containers.obedient = false;
  },
  hint: (world, pick) => world.reconciler.hint(any(world, pick) ?? 'nobody'),
  pass: ({ reconciler }) => void reconciler.pass(),
  evacuate: ({ reconciler }) => reconciler.evacuate(),
  settle: () => flush(),
  /** Our process ends and another takes the containers over. */
  restart: async (world) => {
    await world.reconciler.close();
    world.reconciler = world.make();
    world.reconciler.start();
  },
};

/** What disagrees. */
function disagreements({ bbs, containers }: World): string[] {
  const found: string[] = [];
  const rows = [...bbs.rows.values(), ...bbs.evacuating.values()].filter(({ cell_id }) => cell_id === 'cell-a');
  for (const { reservation, state } of containers.list()) {
    const { guid, kind } = reservation;
    const row = rows.find(({ instance_guid }) => instance_guid === guid);
    const known = kind === 'lrp' ? row !== undefined : bbs.tasks.get(guid)?.state === 'Running';
    if (!known) found.push(`${kind} ${guid} is ${state} and the BBS does not know it`);
    if (state === 'completed') found.push(`${kind} ${guid} is completed and still here`);
    if (state === 'running' && kind === 'lrp' && row?.state !== 'RUNNING')
      found.push(`${guid} runs, its row is ${row?.state}`);
  }
  for (const { instance_guid, state } of rows) {
    if (!containers.get(instance_guid)) found.push(`row ${instance_guid} ${state} has no container`);
  }
  for (const { guid, state, cell_id } of bbs.tasks.values()) {
    if (state === 'Running' && cell_id === 'cell-a' && !containers.get(guid))
      found.push(`task ${guid} has no container`);
  }
  return found;
}

test('10 000 random happenings: one pass later, machines and rows agree', async () => {
  const often = ['desire', 'desireTask', 'lrpWork', 'taskWork', 'boot', 'healthy'];
  const names = [...Object.keys(HAPPENINGS), ...often, ...often, ...often];
  const event = fc.tuple(fc.constantFrom(...names), fc.nat(60), fc.boolean());
  let happened = 0;
  let lived = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(event, { minLength: 40, maxLength: 40 }), async (events) => {
      const cell = makeCell();
      const world: World = { ...cell, reconciler: cell.make(), made: 0 };
      world.reconciler.start();
      for (const [what, pick, settled] of events) {
        await HAPPENINGS[what]?.(world, pick);
        happened++;
        if (settled) await flush();
      }
      world.bbs.fault = () => undefined;
      world.containers.obedient = true;
      for (const { reservation, stopped } of world.containers.list()) {
        // A machine that was told to end does so in the end.
        if (stopped) world.containers.exit(reservation.guid, { failed: false, reason: '', retryable: false });
      }
      await flush();
      expect(await world.reconciler.pass()).toBe(true);
      await world.reconciler.idle();
      const found = disagreements(world);
      lived += world.containers.list().length;
      await world.reconciler.close();
      expect(found).toEqual([]);
    }),
    { numRuns: 250, interruptAfterTimeLimit: 40_000, seed: 20_241 },
  );
  expect(happened).toBeGreaterThanOrEqual(10_000);
  // Not true for want of machines.
  expect(lived).toBeGreaterThan(100);
}, 60_000);
