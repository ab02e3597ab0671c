import { goDuration } from './go-duration.js';

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

export const downloading = (artifact: string): string => `Downloading ${artifact}...`;
export const downloaded = (artifact: string, bytes: number): string => `Downloaded ${artifact} (${byteSize(bytes)})`;
export const downloadFailed = (artifact: string): string => `Downloading ${artifact} failed`;
export const uploading = (artifact: string): string => `Uploading ${artifact}...`;
export const uploaded = (artifact: string, bytes: number): string => `Uploaded ${artifact} (${byteSize(bytes)})`;
export const uploadFailed = (artifact: string): string => `Failed to upload payload for ${artifact}`;

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
export const logRateExceeded = (bytes_per_second: number): string =>
  `app instance exceeded log rate limit (${bytes_per_second} bytes/sec)`;

/** Ours: Diego's own cells have the SSH server. */
export const SSH_NOTICE =
  'SSH is not available: a unikernel has no shell. Use `cf logs` to see its console, `cf disable-ssh` to hide this line.';

/** As Go's bytefmt prints it: `512B`, `1.2M`. */
export function byteSize(bytes: number): string {
  const units = ['B', 'K', 'M', 'G', 'T'];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 2 ** (10 * power)).toFixed(1).replace(/\.0$/, '')}${units[power] ?? 'B'}`;
}
