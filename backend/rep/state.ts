/** GET /state: what the auctioneer places by (rep `resources.go` CellState, `auction_cell_rep.go` State). */
import type { Room } from '../cell/containers.js';
import type { Container } from '../cell/model.js';
import type { CellFacts, RepHandler } from './face.js';

export interface CellStateInput {
  facts: CellFacts;
  containers: readonly Container[];
  room: { total: Room; available: Room };
  evacuating: boolean;
}

/** The JSON document. Key case is Diego's own and mixed. Pure. */
export function cellState({ facts, containers, room, evacuating }: CellStateInput) {
  const lrps: ReturnType<typeof lrpState>[] = [];
  const tasks: ReturnType<typeof taskState>[] = [];
  let starting = 0;
  for (const container of containers) {
    if (['reserved', 'initializing', 'created'].includes(container.state)) starting++;
    const { reservation } = container;
    if (reservation.kind === 'lrp') lrps.push(lrpState(container, reservation));
    else tasks.push(taskState(container, reservation));
  }
  return {
    rep_url: facts.rep_url,
    cell_id: facts.cell_id,
    cell_index: 0,
    RootFSProviders: rootfsProviders(facts.stacks),
    AvailableResources: resources(room.available),
    TotalResources: resources(room.total),
    LRPs: lrps,
    Tasks: tasks,
    StartingContainerCount: starting,
    Zone: facts.zone,
    Evacuating: evacuating,
    VolumeDrivers: [],
    PlacementTags: facts.placement_tags,
    OptionalPlacementTags: facts.optional_placement_tags,
    ProxyMemoryAllocationMB: 0,
  };
}

/** Rootfses that this cell has: `set` is an object, an array makes the whole state unreadable to the auctioneer. */
function rootfsProviders(stacks: readonly string[]) {
  const set = Object.fromEntries(stacks.map((stack) => [stack, {}]));
  return { preloaded: { type: 'fixed_set', set }, 'preloaded+layer': { type: 'fixed_set', set } };
}

function resources({ memory_mb, disk_mb, containers }: Room) {
  return { MemoryMB: memory_mb, DiskMB: disk_mb, Containers: containers };
}

function demand({ demand: asked }: Container['reservation']) {
  return {
    PlacementTags: asked.placement_tags,
    VolumeDrivers: asked.volume_drivers,
    RootFs: asked.rootfs,
    MemoryMB: asked.memory_mb,
    DiskMB: asked.disk_mb,
    MaxPids: asked.max_pids,
  };
}

function lrpState(container: Container, reservation: Container['reservation'] & { kind: 'lrp' }) {
  const { process_guid, index, domain } = reservation.lrp;
  return {
    ...{ instance_guid: reservation.guid, process_guid, index, domain },
    ...demand(reservation),
    state: lrpStateName(container),
  };
}

function lrpStateName({ state, outcome }: Container): string {
  if (state === 'running') return 'RUNNING';
  if (state !== 'completed') return 'CLAIMED';
  return outcome?.failed ? 'CRASHED' : 'SHUTDOWN';
}

/** A task's state is a name of Diego's enumeration; a number makes the whole state unreadable. */
function taskState(container: Container, reservation: Container['reservation'] & { kind: 'task' }) {
  const { state, outcome } = container;
  return {
    ...{ TaskGuid: reservation.guid, Domain: reservation.domain },
    ...demand(reservation),
    state: state === 'running' ? 'Running' : state === 'completed' ? 'Completed' : 'Pending',
    failed: outcome?.failed ?? false,
  };
}

export const state: RepHandler = (face) => (_request, response) => {
  const { facts, containers } = face;
  const input = { facts, containers: containers.list(), room: containers.room(), evacuating: face.isEvacuating() };
  response.json(cellState(input));
};
