/** How many of a process run, and how large they are. */
import { z } from 'zod';
import type { Caller } from '../access.js';
import type { Cc } from '../cc.js';
import { invalid } from '../errors.js';
import type { Process } from '../model.js';
import type { Tx } from '../store.js';
import { recordApp } from './apps.js';
import { activeDeployment } from './deployments.js';

const MAX_INT = 2_147_483_647;
export const scaleSchema = z.strictObject({
  instances: z.int().min(0).max(MAX_INT).optional(),
  memory_in_mb: z.int().min(1).max(MAX_INT).optional(),
  disk_in_mb: z.int().min(1).max(MAX_INT).optional(),
  log_rate_limit_in_bytes_per_second: z.int().min(-1).optional(),
});
export type Scale = z.output<typeof scaleSchema>;

/** Memory and disk take effect at the next start. Throws 422 for a limit of a quota, or while a deployment goes on. */
export function scaleProcess(cc: Cc, tx: Tx, caller: Caller, process: Process, scale: Scale): Process {
  const { store } = cc;
  const app = store.app.get(process.app_guid);
  if (!app) throw invalid('The app of this process is gone');
  if (process.type === 'web' && scale.instances !== undefined && activeDeployment(store, app.guid)) {
    throw invalid('Cannot scale this process while a deployment is in flight.');
  }
  const patch = Object.fromEntries(
    Object.entries(scale).filter(([, value]) => value !== undefined),
  ) as Partial<Process>;
  const updated = tx.update('process', process.guid, patch);
  refuseOverQuota(cc, updated);
  recordApp(cc, tx, caller, 'audit.app.process.scale', app, {
    ...{ process_guid: process.guid, process_type: process.type, request: patch },
  });
  return updated;
}

/** Of the organization and of the space. */
export function refuseOverQuota({ store }: Pick<Cc, 'store'>, process: Process): void {
  const app = store.app.get(process.app_guid);
  const space = app && store.space.get(app.space_guid);
  const org = space && store.org.get(space.org_guid);
  if (!app || !space || !org) return;
  for (const [quota, where] of [
    [store.quota.get(org.quota_guid), 'organization'],
    [store.quota.get(space.quota_guid ?? ''), 'space'],
  ] as const) {
    if (!quota) continue;
    const { total_memory_in_mb, per_process_memory_in_mb, total_instances } = quota.apps;
    if (per_process_memory_in_mb !== null && process.memory_in_mb > per_process_memory_in_mb) {
      throw invalid(`memory exceeds ${where} instance memory quota`);
    }
    const running = store.process.filter((one) => {
      const owner = store.app.get(one.app_guid);
      const place = owner && store.space.get(owner.space_guid);
      const inside = where === 'space' ? place?.guid === space.guid : place?.org_guid === org.guid;
      return inside && (owner?.state === 'STARTED' || owner?.guid === app.guid);
    });
    const sum = (read: (one: Process) => number): number => running.reduce((total, one) => total + read(one), 0);
    if (app.state !== 'STARTED') continue;
    if (total_memory_in_mb !== null && sum((one) => one.instances * one.memory_in_mb) > total_memory_in_mb) {
      throw invalid(`memory ${where === 'space' ? 'space_quota_exceeded' : 'quota_exceeded'}`);
    }
    if (total_instances !== null && sum((one) => one.instances) > total_instances) {
      throw invalid(`instances ${where} app instance limit exceeded`);
    }
  }
}
