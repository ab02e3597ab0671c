import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { CellState, LrpStart } from '../../../../localcf/auction/model.js';
import { asWork, DIEGO_AUCTION, items, NO_CELL, place } from '../../../../localcf/auction/place.js';

const room = { MemoryMB: 1_000, DiskMB: 1_000, Containers: 10 };

const aCell = (cell_id: string, members: Partial<CellState> = {}): CellState => ({
  ...{ cell_id, cell_index: 0, Zone: 'z1', Evacuating: false, StartingContainerCount: 0, ProxyMemoryAllocationMB: 0 },
  RootFSProviders: { preloaded: { type: 'fixed_set', set: { unik: {} } }, docker: { type: 'arbitrary' } },
  ...{ AvailableResources: room, TotalResources: room, LRPs: [], Tasks: [] },
  ...{ VolumeDrivers: [], PlacementTags: [], OptionalPlacementTags: [] },
  ...members,
});

const aWish = (process_guid: string, members: Partial<LrpStart> = {}): LrpStart => ({
  ...{ process_guid, domain: 'd', indices: [0], PlacementTags: null, VolumeDrivers: null },
  ...{ RootFs: 'preloaded:unik', MemoryMB: 100, DiskMB: 100, MaxPids: 0 },
  ...members,
});

const auction = (wishes: LrpStart[], cells: CellState[], policy = DIEGO_AUCTION): { [cell: string]: string[] } => {
  const { work, failed } = place(items(wishes, []), cells, policy);
  const told = [...work].map(([cell_id, given]): [string, string[]] => [
    cell_id,
    given.map((item) => (item.kind === 'lrp' ? `${item.process_guid}/${item.index}` : item.task.TaskGuid)),
  ]);
  return { ...Object.fromEntries(told), ...(failed.length > 0 && { failed: failed.map(({ error }) => error) }) };
};

describe('why an auction fails (auction auctiontypes/types.go)', () => {
  const tagged = (...tags: string[]): Partial<LrpStart> => ({ PlacementTags: tags });
  test.each<[error: string, wish: Partial<LrpStart>, cells: CellState[]]>([
    [NO_CELL, {}, []],
    [NO_CELL, {}, [aCell('a', { Evacuating: true })]],
    ['found no compatible cell for required rootfs', { RootFs: 'preloaded:windows' }, [aCell('a')]],
    ['found no compatible cell for required rootfs', { RootFs: 'oci:unik' }, [aCell('a')]],
    ['found no compatible cell with required volume drivers', { VolumeDrivers: ['nfs'] }, [aCell('a')]],
    ['found no compatible cell with placement tag "x"', tagged('x'), [aCell('a')]],
    ['found no compatible cell with placement tags "x" and "y"', tagged('x', 'y'), [aCell('a')]],
    ['found no compatible cell with placement tags "x", "y" and "z"', tagged('x', 'y', 'z'), [aCell('a')]],
    ['found no compatible cell with no placement tags', {}, [aCell('a', { PlacementTags: ['iso'] })]],
    ['insufficient resources: memory', { MemoryMB: 1_001 }, [aCell('a')]],
    ['insufficient resources: disk, memory', { MemoryMB: 1_001, DiskMB: 1_001 }, [aCell('a')]],
    ['insufficient resources: containers', {}, [aCell('a', { AvailableResources: { ...room, Containers: 0 } })]],
    [
      'insufficient resources: memory',
      { MemoryMB: 900, DiskMB: 900 },
      [
        aCell('a', { AvailableResources: { ...room, MemoryMB: 10 } }),
        aCell('b', { AvailableResources: { MemoryMB: 10, DiskMB: 10, Containers: 1 } }),
      ],
    ],
    ['insufficient resources: memory', { MemoryMB: 980 }, [aCell('a', { ProxyMemoryAllocationMB: 32 })]],
  ])('%s', (error, wish, cells) => {
    expect(auction([aWish('p', wish)], cells)).toEqual({ failed: [error] });
  });

  test('too many starting at once, where there is a limit', () => {
    const policy = { ...DIEGO_AUCTION, inflightStarts: 1 };
    expect(auction([aWish('p', { indices: [0, 1] })], [aCell('a')], policy)).toEqual({
      a: ['p/0'],
      failed: ['waiting to start instance: reached in-flight start limit'],
    });
  });
});

describe('where it goes', () => {
  test('instances of one process spread over zones, then over cells', () => {
    const cells = [aCell('a1'), aCell('a2'), aCell('b1', { Zone: 'z2' })];
    const placed = auction([aWish('p', { indices: [0, 1, 2, 3] })], cells);
    expect(placed['b1']).toHaveLength(2);
    expect([placed['a1']?.length, placed['a2']?.length]).toEqual([1, 1]);
  });

  test('the emptier cell wins, and one that starts less', () => {
    const half = { MemoryMB: 500, DiskMB: 500, Containers: 5 };
    expect(auction([aWish('p')], [aCell('full', { AvailableResources: half }), aCell('empty')])).toEqual({
      empty: ['p/0'],
    });
    expect(auction([aWish('p')], [aCell('busy', { StartingContainerCount: 3 }), aCell('calm')])).toEqual({
      calm: ['p/0'],
    });
  });

  test('optional tags let tagged work in and need none', () => {
    const cells = [aCell('a', { OptionalPlacementTags: ['gpu'] })];
    expect(auction([aWish('p', { PlacementTags: ['gpu'] }), aWish('q')], cells)).toEqual({ a: ['p/0', 'q/0'] });
  });

  test('any image of an arbitrary provider', () => {
    expect(auction([aWish('p', { RootFs: 'docker:///busybox' })], [aCell('a')])).toEqual({ a: ['p/0'] });
  });

  test('work names what it was asked for, and the cell', () => {
    const [item] = items([aWish('p')], []);
    expect(asWork('a', item ? [item] : [])).toEqual({
      LRPs: [
        {
          ...{ instance_guid: '', process_guid: 'p', index: 0, domain: 'd', state: '', PlacementTags: null },
          ...{ VolumeDrivers: null, RootFs: 'preloaded:unik', MemoryMB: 100, DiskMB: 100, MaxPids: 0 },
        },
      ],
      Tasks: null,
      cell_id: 'a',
    });
  });

  test('never more than there is, and nothing is forgotten', () => {
    const size = fc.integer({ min: 0, max: 700 });
    const wishes = fc.array(fc.record({ memory: size, disk: size, indices: fc.array(fc.nat(3), { maxLength: 4 }) }), {
      maxLength: 12,
    });
    fc.assert(
      fc.property(wishes, (asked) => {
        const starts = asked.map(({ memory, disk, indices }, n) =>
          aWish(`p${n}`, { MemoryMB: memory, DiskMB: disk, indices }),
        );
        const wanted = items(starts, []);
        const { work, failed } = place(wanted, [aCell('a'), aCell('b', { Zone: 'z2' })], DIEGO_AUCTION);
        for (const given of work.values()) {
          expect(given.reduce((sum, { MemoryMB }) => sum + MemoryMB, 0)).toBeLessThanOrEqual(room.MemoryMB);
          expect(given.reduce((sum, { DiskMB }) => sum + DiskMB, 0)).toBeLessThanOrEqual(room.DiskMB);
          expect(given.length).toBeLessThanOrEqual(room.Containers);
        }
        expect([...work.values()].flat().length + failed.length).toBe(wanted.length);
      }),
    );
  });
});
