import type { RequestHandler } from 'express';
import type { Log } from '../../core/log.js';
import type { Containers, ContainerUsage } from '../cell/containers.js';

/** What the rep tells of its cell and never changes while it runs. */
export interface CellFacts {
  cell_id: string;
  /** Where Diego reaches this rep: https. */
  rep_url: string;
  zone: string;
  stacks: readonly string[];
  placement_tags: readonly string[];
  optional_placement_tags: readonly string[];
}

/** What handlers work with. */
export interface Face {
  facts: CellFacts;
  containers: Containers;
  isEvacuating(): boolean;
  /** Begins to empty the cell. Idempotent. */
  evacuate(): void;
  /** The guid is to be looked at; `trace` is the id of the request that is the cause. */
  hint(guid: string, trace: string): void;
  newGuid(): string;
  /** Last sample of each running container, with the part of one CPU that it used since the one before. */
  samples(): Iterable<Sample>;
  log: Log;
}

export interface Sample {
  usage: ContainerUsage;
  cpu_fraction: number;
}

/** One request of the rep API. */
export type RepHandler = (face: Face) => RequestHandler;

/** Trace header of all Diego (bbs `trace/request_id.go`); often absent. */
export function traceOf(request: { header(name: string): string | undefined }): string {
  return request.header('x-vcap-request-id') ?? '';
}
