/** JSON of the auctioneer's API and of a cell's `/state` and `/work` (rep `resources.go`): key case as on the wire. */

/** What asks for room. */
export interface Wish {
  PlacementTags: string[] | null;
  VolumeDrivers: string[] | null;
  RootFs: string;
  MemoryMB: number;
  DiskMB: number;
  MaxPids: number;
}

/** Of `POST /v1/lrps`. */
export interface LrpStart extends Wish {
  process_guid: string;
  domain: string;
  indices: number[];
}

/** Of `POST /v1/tasks`, and in `/work`. */
export interface TaskStart extends Wish {
  TaskGuid: string;
  Domain: string;
  state: string;
  failed: boolean;
}

/** In `/work` and `/state`. */
export interface CellLrp extends Wish {
  instance_guid: string;
  process_guid: string;
  index: number;
  domain: string;
  state: string;
}

export interface Work {
  LRPs: CellLrp[] | null;
  Tasks: TaskStart[] | null;
  cell_id?: string | undefined;
}

export interface Resources {
  MemoryMB: number;
  DiskMB: number;
  Containers: number;
}

export type RootFsProvider = { type: 'arbitrary' } | { type: 'fixed_set'; set: Record<string, unknown> };

export interface CellState {
  cell_id: string;
  cell_index: number;
  RootFSProviders: Record<string, RootFsProvider>;
  AvailableResources: Resources;
  TotalResources: Resources;
  LRPs: CellLrp[];
  Tasks: TaskStart[];
  StartingContainerCount: number;
  Zone: string;
  Evacuating: boolean;
  VolumeDrivers: string[];
  PlacementTags: string[];
  OptionalPlacementTags: string[];
  ProxyMemoryAllocationMB: number;
}
