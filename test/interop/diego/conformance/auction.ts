import { expect } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Sent } from '../../../../backend/wire/codec.js';
import type { CellSetup, TestCell, Work } from '../../../support/diego/test-cell.js';
import type { Bench, DesiredLRP } from './bench.js';
import type { Case } from './case.js';

const SCHEDULER = 'auction auctionrunner/scheduler.go';
const REP = 'rep resources.go';
const TRACE = 'x-vcap-request-id';

const lrpsOf = (body: unknown) => (body as Work).LRPs ?? [];

/** How many instances each cell was given, in the order of `cells`. */
function counts(cells: readonly TestCell[], guid: string): number[] {
  return cells.map(
    (cell) =>
      cell.seen.all
        .filter(({ kind }) => kind === 'work')
        .flatMap(({ body }) => lrpsOf(body))
        .filter(({ process_guid }) => process_guid === guid).length,
  );
}

/** The text of a placement that failed. */
async function placementError(t: Bench, over: Sent<DesiredLRP>): Promise<string> {
  const guid = await t.desire(over);
  const rows = await t.rows(guid, 'has a placement error', ([row]) => row?.placement_error !== '');
  expect(rows).toMatchObject([{ state: 'UNCLAIMED', crash_count: 0 }]);
  return rows[0]?.placement_error ?? '';
}

/** What cells there are, what is desired, and what the auctioneer says of it. */
const REFUSALS: [what: string, cell: Partial<CellSetup>, over: Sent<DesiredLRP>, message: string][] = [
  ['no cell has the stack', {}, { root_fs: 'preloaded:none' }, 'found no compatible cell for required rootfs'],
  ['no cell has the scheme', {}, { root_fs: 'docker:///busybox' }, 'found no compatible cell for required rootfs'],
  [
    'no cell has the volume driver',
    { volume_drivers: ['other'] },
    {
      volume_mounts: [
        { driver: 'nfs', container_dir: '/d', mode: 'rw', shared: { volume_id: 'v', mount_config: '{}' } },
      ],
    },
    'found no compatible cell with required volume drivers',
  ],
  ['no cell has the tag', {}, { placement_tags: ['x'] }, 'found no compatible cell with placement tag "x"'],
  ['no cell is without tags', { placement_tags: ['p'] }, {}, 'found no compatible cell with no placement tags'],
  [
    'no cell has all three tags',
    { placement_tags: ['a'] },
    { placement_tags: ['a', 'b', 'c'] },
    'found no compatible cell with placement tags "a", "b" and "c"',
  ],
  ['no cell has the memory', { memory_mb: 128 }, { memory_mb: 256 }, 'insufficient resources: memory'],
  ['no cell has the disk', { disk_mb: 128 }, { disk_mb: 256 }, 'insufficient resources: disk'],
  [
    'no cell has disk and memory',
    { disk_mb: 128, memory_mb: 128 },
    { disk_mb: 256, memory_mb: 256 },
    'insufficient resources: disk, memory',
  ],
  ['no cell may have one more', { containers: 0 }, {}, 'insufficient resources: containers'],
];

export const auctionCases: Case[] = [
  ...REFUSALS.map(([what, setup, over, message]): Case => ({
    name: `where ${what}, the instance says so`,
    fact: `placement errors (auction auctiontypes/types.go, ${SCHEDULER} filterCells)`,
    async steps(t) {
      const cell = await t.cell(setup);
      expect(await placementError(t, over)).toBe(message);
      expect(cell.seen.filter(({ kind }) => kind === 'work')).toEqual([]);
    },
  })),
  {
    name: 'a desired LRP reaches a cell as work, with all that it weighs',
    fact: `LRP of POST /work (${REP})`,
    async steps(t) {
      const cell = await t.cell();
      const guid = await t.desire({ memory_mb: 77, disk_mb: 88, max_pids: 9 });
      const [seen] = await t.work(cell, guid);
      expect(seen?.body).toMatchObject({
        LRPs: [
          {
            process_guid: guid,
            index: 0,
            domain: t.domain,
            RootFs: `preloaded:${t.stack}`,
            MemoryMB: 77,
            DiskMB: 88,
            MaxPids: 9,
          },
        ],
        cell_id: cell.id,
      });
      expect(await t.lrps(guid)).toMatchObject([{ state: 'UNCLAIMED', placement_error: '' }]);
    },
  },
  {
    name: 'a desired task reaches a cell as work',
    fact: `Task of POST /work (${REP})`,
    async steps(t) {
      const cell = await t.cell();
      const guid = await t.desireTask({ memory_mb: 77, disk_mb: 88 });
      const [seen] = await t.work(cell, guid);
      expect((seen?.body as Work).Tasks).toMatchObject([
        { TaskGuid: guid, Domain: t.domain, RootFs: `preloaded:${t.stack}`, MemoryMB: 77, DiskMB: 88 },
      ]);
    },
  },
  {
    name: 'the request id of a desire reaches the cell; of a crash there is none',
    fact: 'X-Vcap-Request-Id goes along with what a client caused (bbs trace/request_id.go)',
    alone: true,
    async steps(t) {
      const cell = await t.cell();
      const desired_lrp = t.lrp();
      const { process_guid } = desired_lrp;
      const trace = randomUUID();
      await t.noticed();
      await t.bbs.call('desire_lrp', { desired_lrp }, { trace });
      const [first] = await t.work(cell, process_guid);
      expect(first?.headers[TRACE]).toBe(trace);
      const one = t.instance(process_guid);
      await cell.claim(one);
      await cell.crash(one);
      const [, second] = await t.work(cell, process_guid, 2);
      expect(second?.headers[TRACE]).toBeUndefined();
    },
  },
  {
    name: 'instances are spread over cells, one each',
    fact: `1000 points for each instance of the process on a cell (${SCHEDULER}, cell.go ScoreForLRP)`,
    async steps(t) {
      const cells = [await t.cell(), await t.cell(), await t.cell()];
      const guid = await t.desire({ instances: 3 });
      await t.placed(cells, guid, 3);
      expect(counts(cells, guid)).toEqual([1, 1, 1]);
    },
  },
  {
    name: 'instances are spread over zones before cells',
    fact: `zones sorted by instances of the process (auction auctionrunner/zone_builder.go, scheduler.go)`,
    async steps(t) {
      const cells = [
        await t.cell({ zone: 'a', memory_mb: 16_384 }),
        await t.cell({ zone: 'a', memory_mb: 16_384 }),
        await t.cell({ zone: 'b', memory_mb: 512, disk_mb: 512 }),
      ];
      const guid = await t.desire({ instances: 2 });
      const placed = await t.placed(cells, guid, 2);
      expect(new Set(placed.map(({ cell }) => cell.setup.zone))).toEqual(new Set(['a', 'b']));
    },
  },
  {
    name: 'the emptier of two cells gets the instance',
    fact: 'the mean of what is used of memory, disk and containers (rep resources.go ComputeScore)',
    async steps(t) {
      const full = await t.cell();
      full.tasks.push({ ...FILLER, MemoryMB: 4_096, DiskMB: 4_096 });
      const empty = await t.cell();
      const guid = await t.desire();
      await t.placed([full, empty], guid);
      expect(counts([full, empty], guid)).toEqual([0, 1]);
    },
  },
  {
    name: 'a cell that is starting many gets less',
    fact: 'StartingContainerCount * 0.25 (rep resources.go ComputeScore, auctioneer starting_container_weight)',
    async steps(t) {
      const busy = await t.cell();
      busy.starting = 8;
      const fuller = await t.cell();
      fuller.tasks.push({ ...FILLER, MemoryMB: 4_096, DiskMB: 4_096 });
      const guid = await t.desire();
      await t.placed([busy, fuller], guid);
      expect(counts([busy, fuller], guid)).toEqual([0, 1]);
    },
  },
  {
    name: 'a task goes where fewer tasks are',
    fact: '1000 points for each task on the cell (auction auctionrunner/cell.go ScoreForTask)',
    async steps(t) {
      const one = await t.cell();
      one.tasks.push({ ...FILLER, MemoryMB: 1, DiskMB: 1 });
      const none = await t.cell();
      none.lrps.push({ ...FILLER_LRP, MemoryMB: 4_096, DiskMB: 4_096 });
      const guid = await t.desireTask();
      await t.work(none, guid);
      expect(t.worked(one, guid)).toEqual([]);
    },
  },
  {
    name: 'a cell with tags takes only what asks for all of them',
    fact: `required tags are a subset of the desired ones (${REP} MatchPlacementTags)`,
    async steps(t) {
      const plain = await t.cell();
      const tagged = await t.cell({ placement_tags: ['p'] });
      const optional = await t.cell({ placement_tags: ['p'], optional_placement_tags: ['o'] });
      const cells = [plain, tagged, optional];
      const untagged = await t.desire({ instances: 3 });
      await t.placed(cells, untagged, 3);
      expect(counts(cells, untagged)).toEqual([3, 0, 0]);
      const both = await t.desire({ instances: 2, placement_tags: ['p', 'o'] });
      await t.placed(cells, both, 2);
      expect(counts(cells, both)).toEqual([0, 0, 2]);
      const required = await t.desire({ instances: 2, placement_tags: ['p'] });
      await t.placed(cells, required, 2);
      expect(counts(cells, required)).toEqual([0, 1, 1]);
    },
  },
  {
    name: 'a cell with only optional tags also takes what asks for none',
    fact: `${REP} MatchPlacementTags`,
    async steps(t) {
      const cell = await t.cell({ optional_placement_tags: ['o'] });
      const none = await t.desire();
      const with_tag = await t.desire({ placement_tags: ['o'] });
      await t.work(cell, none);
      await t.work(cell, with_tag);
    },
  },
  {
    name: 'a layered root file system is matched by its stack, without the query',
    fact: 'the opaque part of the URL is a member of the fixed set (rep rootfs_providers.go)',
    async steps(t) {
      const cell = await t.cell();
      const guid = await t.desire({ root_fs: `preloaded+layer:${t.stack}?layer=http://x/y&layer_path=/` });
      await t.work(cell, guid);
    },
  },
  {
    name: 'an evacuating cell is passed over',
    fact: `Evacuating cells are no candidates (${SCHEDULER}, auction_runner.go)`,
    async steps(t) {
      const leaving = await t.cell();
      leaving.evacuating = true;
      const staying = await t.cell();
      const guid = await t.desire({ instances: 2 });
      await t.placed([staying], guid, 2);
      expect(counts([leaving, staying], guid)).toEqual([0, 2]);
    },
  },
  ...(
    [
      ['names another cell', { status: 200, body: { cell_id: 'somebody-else' } }],
      ['is unhealthy', { status: 503 }],
      ['fails', { status: 500 }],
      ['says what cannot be read', { status: 200, body: 'no object' }],
    ] as const
  ).map(([what, answer]): Case => ({
    name: `a cell whose state ${what} is passed over, and the others are not disturbed`,
    fact: 'zone_builder.go fetchStateAndBuildZones (auction)',
    // Without convergence, an instance given to the odd cell would be lost.
    on: 'quiet',
    async steps(t) {
      const odd = await t.cell();
      const whole = { ...odd.state() };
      const body = 'body' in answer && typeof answer.body === 'object' ? { ...whole, ...answer.body } : undefined;
      odd.answers.state = () => (body ? { status: 200, body } : answer);
      const good = await t.cell();
      const guid = await t.desire({ instances: 2 });
      await t.placed([good], guid, 2);
      expect(counts([odd, good], guid)).toEqual([0, 2]);
    },
  })),
  {
    name: 'an unreachable cell does not keep work from the others',
    fact: 'zone_builder.go fetchStateAndBuildZones (auction)',
    async steps(t) {
      const gone = await t.absentCell();
      await gone.present();
      gone.answers.state = () => Promise.reject(new Error('the connection is cut'));
      const good = await t.cell();
      const guid = await t.desire();
      await t.work(good, guid);
    },
  },
  {
    name: 'work that a cell gives back stays unclaimed without a word, until it is stale',
    fact: 'no placement error for a failed commit; auctioned again after StaleUnclaimedActualLRPDuration (bbs db/sqldb/lrp_convergence.go)',
    long: true,
    async steps(t) {
      const cell = await t.cell();
      let full = true;
      cell.answers.work = ({ body }) => ({ status: 200, body: full ? body : cell.take(body as Work) });
      const asked = Date.now();
      const guid = await t.desire();
      await t.work(cell, guid);
      expect(await t.lrps(guid)).toMatchObject([{ state: 'UNCLAIMED', placement_error: '' }]);
      full = false;
      await delay(t.times.stale_ms * 0.8);
      expect(t.worked(cell, guid).length).toBe(1);
      const [, second] = await t.work(cell, guid, 2, t.times.stale_ms);
      expect((second?.at ?? 0) - asked).toBeGreaterThanOrEqual(t.times.stale_ms);
      expect(await t.lrps(guid)).toMatchObject([{ state: 'UNCLAIMED', placement_error: '' }]);
    },
  },
  {
    name: 'an instance that found no cell is placed once one comes and it is stale; claiming clears its error',
    fact: 'stale unclaimed LRPs are auctioned at convergence (bbs db/sqldb/lrp_convergence.go)',
    long: true,
    async steps(t) {
      const guid = await t.desire();
      await t.rows(guid, 'has an error', ([row]) => row?.placement_error.includes('rootfs') === true);
      const cell = await t.cell();
      await t.work(cell, guid, 1, t.times.stale_ms + t.times.patience_ms);
      expect(await t.only(guid)).toMatchObject({ placement_error: 'found no compatible cell for required rootfs' });
      await cell.claim(t.instance(guid));
      expect(await t.only(guid)).toMatchObject({ state: 'CLAIMED', placement_error: '' });
    },
  },
  {
    name: 'a task that a cell gives back comes again at the next convergence',
    fact: 'pending tasks are auctioned at each convergence (bbs db/sqldb/task_convergence.go)',
    async steps(t) {
      const cell = await t.cell();
      cell.answers.work = ({ body }) => ({ status: 200, body });
      const guid = await t.desireTask();
      await t.work(cell, guid, 2);
      expect(await t.getTask(guid)).toMatchObject({ state: 'Pending', rejection_count: 0, rejection_reason: '' });
    },
  },
  {
    name: 'a pending task comes again and again, until it is started',
    fact: 'ConvergeTasks kicks pending tasks, however young (bbs db/sqldb/task_convergence.go)',
    async steps(t) {
      const cell = await t.cell();
      const guid = await t.desireTask();
      await t.work(cell, guid, 3);
      await t.bbs.call('start_task', { task_guid: guid, cell_id: cell.id });
      await t.rounds(1);
      const before = t.worked(cell, guid).length;
      await t.rounds(2);
      expect(t.worked(cell, guid).length).toBe(before);
    },
  },
  {
    name: 'a cell that answers work with an error leaves the instance unclaimed, without a word',
    fact: 'cell.go Commit (auction)',
    async steps(t) {
      const cell = await t.cell();
      cell.answers.work = () => ({ status: 500 });
      const guid = await t.desire();
      await t.work(cell, guid);
      await t.rounds(1);
      expect(await t.lrps(guid)).toMatchObject([{ state: 'UNCLAIMED', placement_error: '' }]);
    },
  },
  {
    name: 'only what a cell gives back is missing; the rest is reserved',
    fact: 'the reply to /work holds what failed (rep auctioncellrep)',
    async steps(t) {
      const cell = await t.cell();
      cell.answers.work = ({ body }) => {
        const back = lrpsOf(body).filter(({ index }) => index === 1);
        return { status: 200, body: { LRPs: back, Tasks: null } };
      };
      const guid = await t.desire({ instances: 3 });
      const placed = await t.placed([cell], guid, 3);
      expect(placed.map(({ one }) => one.index)).toEqual([0, 1, 2]);
      await Promise.all(placed.filter(({ one }) => one.index !== 1).map(({ one }) => cell.claim(one)));
      expect((await t.lrps(guid)).map(({ state }) => state)).toEqual(['CLAIMED', 'UNCLAIMED', 'CLAIMED']);
    },
  },
  {
    name: 'a task that no cell may run fails at the fourth round with the reason',
    fact: 'RejectTask at each auction; max_task_retries 3 (bbs db/sqldb/task_db.go RejectTask)',
    async steps(t) {
      await t.cell({ memory_mb: 128 });
      const callback = t.name('callback');
      const completion_callback_url = t.callbacks.url(callback);
      const guid = await t.desireTask({ memory_mb: 256, completion_callback_url });
      await t.until('the first refusal', async () => (await t.getTask(guid)).rejection_count >= 1);
      expect(await t.getTask(guid)).toMatchObject({ rejection_reason: 'insufficient resources: memory' });
      const [{ body } = { body: {} }] = await t.callbacks.wait(callback, t.times.patience_ms + 5 * t.times.converge_ms);
      expect(body).toMatchObject({
        task_guid: guid,
        failed: true,
        failure_reason: 'insufficient resources: memory',
        result: '',
      });
    },
  },
  {
    name: 'the auctioneer takes work over HTTP',
    fact: 'POST /v1/lrps and /v1/tasks answer 202 with {} (auctioneer handlers)',
    async steps(t) {
      const cell = await t.cell();
      const resources = { RootFs: `preloaded:${t.stack}`, MemoryMB: 16, DiskMB: 16, MaxPids: 0 };
      const constraint = { PlacementTags: null, VolumeDrivers: null };
      const process_guid = t.name('proc');
      const lrp = { process_guid, domain: t.domain, indices: [2, 5], ...resources, ...constraint };
      await t.noticed();
      expect(await t.auction('lrps', [lrp])).toEqual([202, '{}']);
      const placed = await t.placed([cell], process_guid, 2);
      expect(placed.map(({ one }) => one.index)).toEqual([2, 5]);
      const TaskGuid = t.name('task');
      const task = { TaskGuid, Domain: t.domain, ...resources, ...constraint, state: 'Pending', failed: false };
      expect(await t.auction('tasks', [task])).toEqual([202, '{}']);
      await t.work(cell, TaskGuid);
    },
  },
  {
    name: 'the auctioneer refuses what it cannot read and drops what is not whole',
    fact: '400 for a body that is no JSON; invalid entries are dropped (auctioneer handlers)',
    async steps(t) {
      const cell = await t.cell();
      expect((await t.auction('lrps', 'no list'))[0]).toBe(400);
      const lrp = {
        process_guid: t.name('proc'),
        domain: t.domain,
        RootFs: `preloaded:${t.stack}`,
        MemoryMB: 1,
        DiskMB: 1,
      };
      const negative = { ...lrp, process_guid: t.name('proc'), indices: [0], MemoryMB: -1 };
      const whole = { ...lrp, process_guid: t.name('proc'), indices: [0] };
      await t.noticed();
      expect((await t.auction('lrps', [{ ...lrp, indices: [] }, negative, whole]))[0]).toBe(202);
      await t.work(cell, whole.process_guid);
      expect(t.worked(cell, lrp.process_guid)).toEqual([]);
      expect(t.worked(cell, negative.process_guid)).toEqual([]);
    },
  },
  {
    name: 'without any cell the error says that none can be reached',
    fact: 'ErrorCellCommunication (auction auctiontypes/types.go)',
    alone: true,
    async steps(t) {
      await t.ground.anchor.withdraw();
      try {
        const guid = await t.desire();
        const [row] = await t.rows(guid, 'has an error', ([one]) => one?.placement_error !== '');
        expect(row?.placement_error).toBe('unable to communicate to compatible cells');
      } finally {
        await t.ground.anchor.present();
      }
    },
  },
];

const FILLER = {
  TaskGuid: 'filler',
  Domain: 'filler',
  RootFs: 'preloaded:filler',
  PlacementTags: null,
  VolumeDrivers: null,
  state: 'Running',
  failed: false,
};
const FILLER_LRP = {
  instance_guid: 'filler',
  process_guid: 'filler',
  index: 0,
  domain: 'filler',
  RootFs: 'preloaded:filler',
  MaxPids: 0,
  PlacementTags: null,
  VolumeDrivers: null,
  state: 'RUNNING',
};
