/** Which cell gets what: Diego's auction as a pure function (auction auctionrunner/scheduler.go, cell.go, rep resources.go). */
import type { CellLrp, CellState, LrpStart, Resources, TaskStart, Wish } from './model.js';

export const DIEGO_AUCTION = {
  startingWeight: 0.25,
  binPackWeight: 0,
  /** What one instance of the same process on a cell adds to its score, in whole memories. */
  sameProcessWeight: 1000,
  taskWeight: 1000,
  /** 0: as many containers may be starting at once as there are. */
  inflightStarts: 0,
  spreadsOverZones: true,
  ignoresEvacuating: true,
  checksCellId: true,
  largestFirst: true,
  matchesTags: (tags: readonly string[], cell: CellState): boolean =>
    cell.PlacementTags.every((tag) => tags.includes(tag)) &&
    tags.every((tag) => cell.PlacementTags.includes(tag) || cell.OptionalPlacementTags.includes(tag)),
  matchesDrivers: (drivers: readonly string[], cell: CellState): boolean =>
    drivers.every((driver) => cell.VolumeDrivers.includes(driver)),
};

export type AuctionPolicy = typeof DIEGO_AUCTION;

export type Item =
  | ({ kind: 'lrp'; process_guid: string; domain: string; index: number } & Wish)
  | ({ kind: 'task'; task: TaskStart } & Wish);

export interface Placement {
  /** Per cell, in the order decided. */
  work: Map<string, Item[]>;
  failed: { item: Item; error: string }[];
}

export const NO_CELL = 'unable to communicate to compatible cells';

/** Single instances of what was asked; entries that the auctioneer drops are left out. */
export function items(lrps: readonly LrpStart[], tasks: readonly TaskStart[]): Item[] {
  const sane = ({ RootFs, MemoryMB, DiskMB }: Wish): boolean => RootFs !== '' && MemoryMB >= 0 && DiskMB >= 0;
  return [
    ...lrps
      .filter((start) => sane(start) && start.process_guid !== '' && start.domain !== '')
      .flatMap(({ process_guid, domain, indices, ...wish }) =>
        indices
          .filter((index) => index >= 0)
          .map((index): Item => ({ kind: 'lrp', process_guid, domain, index, ...wish })),
      ),
    ...tasks
      .filter((task) => sane(task) && task.TaskGuid !== '' && task.Domain !== '')
      .map((task): Item => ({ kind: 'task', task, ...wishOf(task) })),
  ];
}

const wishOf = ({ PlacementTags, VolumeDrivers, RootFs, MemoryMB, DiskMB, MaxPids }: Wish): Wish => ({
  ...{ PlacementTags, VolumeDrivers, RootFs, MemoryMB, DiskMB, MaxPids },
});

/** The same for what is asked twice. */
export const identityOf = (item: Item): string =>
  item.kind === 'task' ? `task ${item.task.TaskGuid}` : `lrp ${item.process_guid}/${item.index}`;

/** A cell while the auction goes on: what it has left after what was already given to it. */
interface Bidder {
  state: CellState;
  left: Resources;
  starting: number;
  tasks: number;
  instances: Map<string, number>;
}

export function place(wanted: readonly Item[], states: readonly CellState[], policy: AuctionPolicy): Placement {
  const bidders = states.filter((state) => !(policy.ignoresEvacuating && state.Evacuating)).map(bidder);
  const placement: Placement = { work: new Map(), failed: [] };
  for (const item of ordered(wanted, policy)) {
    const winner = choose(item, bidders, policy);
    if (typeof winner === 'string') {
      placement.failed.push({ item, error: winner });
      continue;
    }
    reserve(winner, item);
    const { cell_id } = winner.state;
    placement.work.set(cell_id, [...(placement.work.get(cell_id) ?? []), item]);
  }
  return placement;
}

function bidder(state: CellState): Bidder {
  const instances = new Map<string, number>();
  for (const { process_guid } of state.LRPs) instances.set(process_guid, (instances.get(process_guid) ?? 0) + 1);
  return {
    ...{ state, instances, left: { ...state.AvailableResources } },
    ...{ starting: state.StartingContainerCount, tasks: state.Tasks.length },
  };
}

/** First instances before tasks before further instances; within each the largest first. */
function ordered(wanted: readonly Item[], { largestFirst }: AuctionPolicy): Item[] {
  const rank = (item: Item): number => (item.kind === 'task' ? 1 : item.index === 0 ? 0 : 1 + item.index);
  return wanted.toSorted((a, b) => rank(a) - rank(b) || (largestFirst ? b.MemoryMB - a.MemoryMB : 0));
}

/** The winner, or why there is none. */
function choose(item: Item, bidders: readonly Bidder[], policy: AuctionPolicy): Bidder | string {
  if (bidders.length === 0) return NO_CELL;
  const starting = bidders.reduce((sum, one) => sum + one.starting, 0);
  if (policy.inflightStarts > 0 && starting >= policy.inflightStarts)
    return 'waiting to start instance: reached in-flight start limit';
  const fitting = compatible(item, bidders, policy);
  if (typeof fitting === 'string') return fitting;
  const able = fitting.filter((one) => shortages(item, one).length === 0);
  if (able.length === 0) return insufficient(item, fitting);
  const candidates =
    item.kind === 'lrp' && policy.spreadsOverZones ? emptiestZones(item.process_guid, able, bidders) : able;
  return candidates.reduce((best, one) => (score(item, one, policy) < score(item, best, policy) ? one : best));
}

function compatible(item: Item, bidders: readonly Bidder[], policy: AuctionPolicy): Bidder[] | string {
  const rootfs = bidders.filter(({ state }) => providesRootFs(state, item.RootFs));
  if (rootfs.length === 0) return 'found no compatible cell for required rootfs';
  const drivers = rootfs.filter(({ state }) => policy.matchesDrivers(item.VolumeDrivers ?? [], state));
  if (drivers.length === 0) return 'found no compatible cell with required volume drivers';
  const tags = item.PlacementTags ?? [];
  const tagged = drivers.filter(({ state }) => policy.matchesTags(tags, state));
  return tagged.length > 0 ? tagged : `found no compatible cell with ${tagText(tags)}`;
}

/** `preloaded:cflinuxfs4?x` asks for the member `cflinuxfs4` of the set `preloaded`. */
function providesRootFs({ RootFSProviders }: CellState, rootfs: string): boolean {
  const [, scheme = '', opaque = ''] = /^([^:]+):([^?#]*)/.exec(rootfs) ?? [];
  const provider = Object.hasOwn(RootFSProviders, scheme) ? RootFSProviders[scheme] : undefined;
  if (!provider) return false;
  return provider.type === 'arbitrary' || Object.hasOwn(provider.set, opaque);
}

function tagText(tags: readonly string[]): string {
  if (tags.length === 0) return 'no placement tags';
  const quoted = tags.map((tag) => `"${tag}"`);
  const last = quoted.at(-1) ?? '';
  return quoted.length === 1 ? `placement tag ${last}` : `placement tags ${quoted.slice(0, -1).join(', ')} and ${last}`;
}

/** The proxy's memory counts for instances only. */
const memoryOf = (item: Item, { state }: Bidder): number =>
  item.MemoryMB + (item.kind === 'lrp' ? state.ProxyMemoryAllocationMB : 0);

function shortages(item: Item, one: Bidder): string[] {
  return [
    ...(one.left.Containers < 1 ? ['containers'] : []),
    ...(one.left.DiskMB < item.DiskMB ? ['disk'] : []),
    ...(one.left.MemoryMB < memoryOf(item, one) ? ['memory'] : []),
  ];
}

/** Only what every cell lacks is named. */
function insufficient(item: Item, fitting: readonly Bidder[]): string {
  const lacking = fitting.map((one) => shortages(item, one));
  const common = ['containers', 'disk', 'memory'].filter((name) => lacking.every((names) => names.includes(name)));
  return common.length > 0 ? `insufficient resources: ${common.join(', ')}` : 'insufficient resources';
}

/** Cells of the zones with fewest instances of the process, counted over all cells of the zone. */
function emptiestZones(process_guid: string, able: readonly Bidder[], bidders: readonly Bidder[]): Bidder[] {
  const count = new Map<string, number>();
  for (const { state, instances } of bidders)
    count.set(state.Zone, (count.get(state.Zone) ?? 0) + (instances.get(process_guid) ?? 0));
  const least = Math.min(...able.map(({ state }) => count.get(state.Zone) ?? 0));
  return able.filter(({ state }) => (count.get(state.Zone) ?? 0) === least);
}

/** Lower wins: how full the cell would be, and how much of the same it holds. */
function score(item: Item, one: Bidder, policy: AuctionPolicy): number {
  const { TotalResources: total, cell_index } = one.state;
  const used = (free: number, all: number): number => 1 - free / all;
  const fraction =
    (used(one.left.MemoryMB - memoryOf(item, one), total.MemoryMB) +
      used(one.left.DiskMB - item.DiskMB, total.DiskMB) +
      used(one.left.Containers - 1, total.Containers)) /
    3;
  const same =
    item.kind === 'lrp'
      ? policy.sameProcessWeight * (one.instances.get(item.process_guid) ?? 0) + cell_index * policy.binPackWeight
      : policy.taskWeight * one.tasks;
  return fraction + one.starting * policy.startingWeight + same;
}

function reserve(one: Bidder, item: Item): void {
  one.left.MemoryMB -= memoryOf(item, one);
  one.left.DiskMB -= item.DiskMB;
  one.left.Containers -= 1;
  one.starting += 1;
  if (item.kind === 'task') one.tasks += 1;
  else one.instances.set(item.process_guid, (one.instances.get(item.process_guid) ?? 0) + 1);
}

export function asWork(
  cell_id: string,
  given: readonly Item[],
): { LRPs: CellLrp[] | null; Tasks: TaskStart[] | null; cell_id: string } {
  const lrps = given.flatMap((item): CellLrp[] => {
    if (item.kind !== 'lrp') return [];
    const { process_guid, index, domain } = item;
    return [{ instance_guid: '', process_guid, index, domain, ...wishOf(item), state: '' }];
  });
  const tasks = given.flatMap((item) => (item.kind === 'task' ? [item.task] : []));
  return { LRPs: lrps.length > 0 ? lrps : null, Tasks: tasks.length > 0 ? tasks : null, cell_id };
}
