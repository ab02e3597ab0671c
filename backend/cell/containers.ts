import type { Container, HttpRoute, NetInfo, Reservation, RunOrder } from './model.js';

export interface Room {
  memory_mb: number;
  disk_mb: number;
  containers: number;
}

/** What may change of an instance that runs. */
export interface Change {
  internal_routes?: string[];
  http_routes?: HttpRoute[];
  metric_tags?: Record<string, string>;
}

/** One sample of a container's use. */
export interface ContainerUsage {
  guid: string;
  at: number;
  cpu_ns: bigint;
  memory_bytes: number;
  disk_bytes: number;
  memory_quota_bytes: number;
  disk_quota_bytes: number;
  /** Since its machine was started. */
  age_ns: bigint;
  rx_bytes?: number;
  tx_bytes?: number;
}

/**
 * The containers of this cell. State is on disk before a call returns and is there again after our restart, machines
 * included. Nothing here speaks to the BBS: `reconcile` does, and is told by `subscribe` which guid to look at.
 */
export interface Containers {
  /** Reads what the last process left and takes its machines back. Call once, first. */
  recover(): Promise<void>;
  list(): Container[];
  get(guid: string): Container | undefined;
  /** Admits and records in one step. Throws insufficient_memory, _disk, _machines, name_in_use. */
  reserve(reservation: Reservation): void;
  /** Takes the room of a reservation into use: fetches, boots, checks, in the background. not_found, conflict. */
  run(guid: string, order: RunOrder): void;
  /** New routes or tags of a running LRP instance; what is undefined stays. Unknown: not_found. */
  update(guid: string, change: Change): void;
  /** Asks it to end: SIGTERM, grace, power-off. It is `stopped` at once and `completed` when it has. not_found. */
  stop(guid: string): void;
  /** Cuts its power: an end that nobody asked for. Resolves when that was done. not_found, conflict. */
  cut(guid: string): Promise<void>;
  /** Stops it, waits for its end and forgets it. Unknown: resolves. Keeps it listed until nothing is left of it. */
  delete(guid: string): Promise<void>;
  /** Called with the guid whenever its state, routability or end changes. */
  subscribe(listener: (guid: string) => void): () => void;
  room(): { total: Room; available: Room };
  usage(guid: string): Promise<ContainerUsage | undefined>;
  /** Address and ports of a running container. */
  netInfo(guid: string): NetInfo | undefined;
  /** Leaves machines running. */
  close(): Promise<void>;
}
