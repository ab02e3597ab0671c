import { describe, expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../../../../core/clock.js';
import { noLog } from '../../../../core/log.js';
import { createAuctioneer, type Auctioneer } from '../../../../localcf/auction/auctioneer.js';
import type { CellState, LrpStart, Work } from '../../../../localcf/auction/model.js';
import { DIEGO_AUCTION } from '../../../../localcf/auction/place.js';
import type { CellPresence } from '../../../../localcf/bbs/model.js';

const room = { MemoryMB: 1_000, DiskMB: 1_000, Containers: 10 };
const aState = (cell_id: string, stack: string): CellState => ({
  ...{ cell_id, cell_index: 0, Zone: 'z', Evacuating: false, StartingContainerCount: 0, ProxyMemoryAllocationMB: 0 },
  RootFSProviders: { preloaded: { type: 'fixed_set', set: { [stack]: {} } } },
  ...{ AvailableResources: room, TotalResources: room, LRPs: [], Tasks: [] },
  ...{ VolumeDrivers: [], PlacementTags: [], OptionalPlacementTags: [] },
});
const aStart = (process_guid: string, stack: string): LrpStart => ({
  ...{ process_guid, domain: 'd', indices: [0], PlacementTags: null, VolumeDrivers: null },
  ...{ RootFs: `preloaded:${stack}`, MemoryMB: 1, DiskMB: 1, MaxPids: 0 },
});

/** An auctioneer with the cells named; `state` and `work` answer for them. */
class Hall {
  readonly works: string[] = [];
  readonly failed: string[] = [];
  readonly auctioneer: Auctioneer;

  constructor(
    names: string[],
    state: (cell_id: string) => Promise<CellState>,
    work: (cell_id: string) => Promise<void> = async () => undefined,
  ) {
    const cells = new Map(names.map((cell_id) => [cell_id, { cell_id } as CellPresence]));
    this.auctioneer = createAuctioneer({
      cells: () => cells,
      client: {
        state: ({ cell_id }) => state(cell_id),
        work: async ({ cell_id }, given): Promise<Work> => {
          this.works.push(`${cell_id}: ${given.LRPs?.map(({ process_guid }) => process_guid).join(' ') ?? ''}`);
          await work(cell_id);
          return { LRPs: null, Tasks: null };
        },
      },
      failed: async (item, error) =>
        void this.failed.push(`${item.kind === 'lrp' ? item.process_guid : 'task'}: ${error}`),
      ...{ policy: DIEGO_AUCTION, clock: systemClock, log: noLog, patience_ms: 20 },
    });
  }

  async until(seen: () => boolean): Promise<void> {
    const end = Date.now() + 5_000;
    while (!seen()) {
      if (Date.now() > end) throw new Error(`not seen: works ${this.works.join()}, failed ${this.failed.join()}`);
      await delay(5);
    }
  }
}

describe('auctions', () => {
  test('a slow cell does not hold up what others can take, and gets its own when it has answered', async () => {
    let answer: (state: CellState) => void = () => undefined;
    const slow = new Promise<CellState>((resolve) => (answer = resolve));
    const hall = new Hall(['quick', 'slow'], (id) => (id === 'slow' ? slow : Promise.resolve(aState(id, 'a'))));
    hall.auctioneer.auction([aStart('p', 'a'), aStart('q', 'b')], [], '');
    await hall.until(() => hall.works.length > 0);
    expect([hall.works, hall.failed]).toEqual([['quick: p'], []]);
    answer(aState('slow', 'b'));
    await hall.until(() => hall.works.length > 1);
    expect([hall.works, hall.failed]).toEqual([['quick: p', 'slow: q'], []]);
    await hall.auctioneer.close();
  });

  test('a slow cell that never answers is not waited for twice', async () => {
    const hall = new Hall(['quick', 'slow'], async (id) => {
      if (id === 'quick') return aState(id, 'a');
      await delay(50);
      throw new Error('no reply');
    });
    hall.auctioneer.auction([aStart('q', 'b')], [], '');
    await hall.until(() => hall.failed.length > 0);
    expect(hall.failed).toEqual(['q: found no compatible cell for required rootfs']);
    await hall.auctioneer.close();
  });

  test('what comes after a late answer is not placed by it: the cell is asked again', async () => {
    let answer: (state: CellState) => void = () => undefined;
    const late = new Promise<CellState>((resolve) => (answer = resolve));
    let asked = 0;
    const hall = new Hall(['quick', 'slow'], async (id) => {
      if (id === 'quick') return aState(id, 'a');
      return ++asked === 1 ? late : aState(id, 'c');
    });
    hall.auctioneer.auction([aStart('p', 'a')], [], '');
    await hall.until(() => hall.works.length > 0);
    answer(aState('slow', 'b'));
    await delay(1);
    hall.auctioneer.auction([aStart('q', 'c')], [], '');
    await hall.until(() => hall.works.length > 1 || hall.failed.length > 0);
    expect([hall.works, hall.failed, asked]).toEqual([['quick: p', 'slow: q'], [], 2]);
    await hall.auctioneer.close();
  });

  test('a cell that does not answer its work holds up no other', async () => {
    const hall = new Hall(
      ['a', 'b'],
      async (id) => aState(id, id),
      (id) => (id === 'a' ? new Promise(() => undefined) : Promise.resolve()),
    );
    hall.auctioneer.auction([aStart('p', 'a')], [], '');
    await hall.until(() => hall.works.length > 0);
    hall.auctioneer.auction([aStart('q', 'b')], [], '');
    await hall.until(() => hall.works.length > 1);
    expect(hall.works).toEqual(['a: p', 'b: q']);
    await hall.auctioneer.close();
  });

  test('what is asked twice before a round is placed once', async () => {
    const hall = new Hall(['a'], async (id) => aState(id, 'a'));
    hall.auctioneer.auction([aStart('first', 'a')], [], '');
    hall.auctioneer.auction([aStart('p', 'a'), aStart('p', 'a')], [], '');
    await hall.until(() => hall.works.length > 1);
    expect(hall.works).toEqual(['a: first', 'a: p']);
    await hall.auctioneer.close();
  });

  test('an auction of nothing holds up none after it', async () => {
    const hall = new Hall(['a'], async (id) => aState(id, 'a'));
    hall.auctioneer.auction([], [], '');
    hall.auctioneer.auction([{ ...aStart('none', 'a'), indices: [] }], [], '');
    hall.auctioneer.auction([aStart('p', 'a')], [], '');
    await hall.until(() => hall.works.length > 0);
    expect(hall.works).toEqual(['a: p']);
    await hall.auctioneer.close();
  });

  test('no answer from any cell', async () => {
    let asked = 0;
    const hall = new Hall(['a'], async () => {
      asked += 1;
      throw new Error('refused');
    });
    hall.auctioneer.auction([aStart('p', 'a')], [], '');
    await hall.until(() => hall.failed.length > 0);
    expect([asked, hall.failed]).toEqual([4, ['p: unable to communicate to compatible cells']]);
    await hall.auctioneer.close();
  });

  test('a state that tells another cell counts for none', async () => {
    const hall = new Hall(['a'], async () => aState('b', 'a'));
    hall.auctioneer.auction([aStart('p', 'a')], [], '');
    await hall.until(() => hall.failed.length > 0);
    expect(hall.works).toEqual([]);
    await hall.auctioneer.close();
  });
});
