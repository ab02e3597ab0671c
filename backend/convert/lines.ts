import { goDuration } from '../../core/go-format.js';

export { downloaded, downloadFailed, downloading } from '../../stager/actions/lines.js';

/** Every line that a cell writes into an application's log, in Diego's wording (executor `storenode.go`, `steps/`). */

export const creating = (cell: string, guid: string): string => `Cell ${cell} creating container for instance ${guid}`;
export const created = (cell: string, guid: string): string =>
  `Cell ${cell} successfully created container for instance ${guid}`;
export const failedToCreate = (cell: string, guid: string, why: string): string =>
  `Cell ${cell} failed to create container for instance ${guid}: ${why}`;
export const stopping = (cell: string, guid: string): string => `Cell ${cell} stopping instance ${guid}`;
export const destroying = (cell: string, guid: string): string =>
  `Cell ${cell} destroying container for instance ${guid}`;
export const destroyed = (cell: string, guid: string): string =>
  `Cell ${cell} successfully destroyed container for instance ${guid}`;
export const failedToDestroy = (cell: string, guid: string): string =>
  `Cell ${cell} failed to destroy container for instance ${guid}`;

export const MONITORING = 'Starting health monitoring of container';
export const READINESS_MONITORING = 'Starting readiness health monitoring of container';
export const HEALTHY = 'Container became healthy';
export const UNHEALTHY = 'Container became unhealthy';
export const READY = 'Container passed the readiness health check. Container marked ready and added to route pool.';
export const NOT_READY =
  'Container failed the readiness health check. Container marked not ready and removed from route pool.';
export const neverHealthy = (after_ms: number): string =>
  `Failed after ${goDuration(after_ms)}: startup health check never passed.`;

export const exitStatus = (code: number, suffix = ''): string => `Exit status ${code}${suffix}`;

/** Ours: Diego's own cells have the SSH server. */
export const SSH_NOTICE =
  'SSH is not available: a unikernel has no shell. Use `cf logs` to see its console, `cf disable-ssh` to hide this line.';
