/** What should run: desire, update, remove (bbs handlers/desired_lrp_handlers.go). */
import { isDeepStrictEqual } from 'node:util';
import { jsonOf } from '../../../core/json.js';
import type { Messages } from '../../../protos/generated.js';
import type { Draft } from '../draft.js';
import { EXISTS, NOT_FOUND, type DesiredLrp, type Lrp } from '../model.js';
import { newRow } from './actual-lrp.js';
import { desiredEvents, tell } from './events.js';
import { lrpStart } from './starts.js';

type Update = Messages['models.DesiredLRPUpdate'];
type Routes = DesiredLrp['routes'];

export function desire(draft: Draft, wanted: DesiredLrp): void {
  if (draft.state.desired.has(wanted.process_guid)) throw EXISTS();
  const desired = draft.putDesired({
    ...wanted,
    // Read back as an empty list where none were given.
    routes: wanted.routes ?? { routes: {} },
    modification_tag: { epoch: draft.around.uuid(), index: 0 },
  });
  draft.events.push(...desiredEvents(undefined, desired, draft.around.trace));
  startIndices(draft, desired, 0);
}

export function update(draft: Draft, process_guid: string, update: Update | undefined): void {
  const before = draft.state.desired.get(process_guid);
  if (!before) throw NOT_FOUND();
  const after = draft.putDesired(updated(before, update));
  if (after.instances > before.instances && draft.policy.scaleUpStartsInstances)
    startIndices(draft, after, before.instances);
  if (after.instances < before.instances && draft.policy.scaleDownStopsInstances)
    stopFrom(draft, process_guid, after.instances);
  const internal =
    update?.routes !== undefined && !isDeepStrictEqual(internalOf(before.routes), internalOf(after.routes));
  const tags = !isDeepStrictEqual(before.metric_tags, after.metric_tags);
  if ((internal || tags) && draft.policy.updateReachesInstances) tellInstances(draft, after, { internal, tags });
  draft.events.push(...desiredEvents(before, after, draft.around.trace));
}

function updated(before: DesiredLrp, update: Update | undefined): DesiredLrp {
  const tag = before.modification_tag ?? { epoch: '', index: 0 };
  return {
    ...before,
    modification_tag: { epoch: tag.epoch, index: tag.index + 1 },
    ...(update?.instances !== undefined && { instances: update.instances }),
    ...(update?.annotation !== undefined && { annotation: update.annotation }),
    ...(update?.routes !== undefined && { routes: update.routes }),
    // An empty map cannot be told from none on the wire.
    ...(Object.keys(update?.metric_tags ?? {}).length > 0 && { metric_tags: update?.metric_tags ?? {} }),
    ...(update?.image_username !== undefined && { image_username: update.image_username }),
    ...(update?.image_password !== undefined && { image_password: update.image_password }),
  };
}

export function removeDesired(draft: Draft, process_guid: string): void {
  const before = draft.state.desired.get(process_guid);
  if (!before) throw NOT_FOUND();
  draft.dropDesired(process_guid);
  draft.events.push(...desiredEvents(before, undefined, draft.around.trace));
  if (draft.policy.removeStopsInstances) stopFrom(draft, process_guid, 0);
}

/** New rows from index `from` on, where there are none, and one auction for all of them. */
function startIndices(draft: Draft, desired: DesiredLrp, from: number): void {
  const { process_guid, domain, instances } = desired;
  const indices: number[] = [];
  for (let index = from; index < instances; index++) {
    if (draft.ordinary({ process_guid, index })) continue;
    tell(draft, undefined, draft.putLrp(newRow(draft, { process_guid, index, domain }, 'ORDINARY')));
    indices.push(index);
  }
  if (indices.length > 0)
    draft.effects.push({ do: 'auction_lrps', starts: [lrpStart(desired, indices, { fresh: true })] });
}

function stopFrom(draft: Draft, process_guid: string, from: number): void {
  const { policy, around } = draft;
  for (const row of draft.state.lrpsOf(process_guid)) {
    if (row.actual_lrp_key.index < from) continue;
    if (row.presence === 'EVACUATING' && policy.stopSparesEvacuating) continue;
    if (policy.dropsWithoutCell(row)) {
      draft.dropLrp(row);
      tell(draft, row, undefined);
      continue;
    }
    const { actual_lrp_key: key, actual_lrp_instance_key: instance } = row;
    const cell = around.cells.get(instance.cell_id);
    if (cell) draft.effects.push({ do: 'stop', cell, key, instance, reported: false });
  }
}

function tellInstances(
  draft: Draft,
  desired: DesiredLrp,
  { internal, tags }: { internal: boolean; tags: boolean },
): void {
  for (const row of draft.state.lrpsOf(desired.process_guid)) {
    if (row.presence === 'EVACUATING' || (row.state !== 'CLAIMED' && row.state !== 'RUNNING')) continue;
    const { actual_lrp_key: key, actual_lrp_instance_key: instance } = row;
    const cell = draft.around.cells.get(instance.cell_id);
    if (!cell) continue;
    draft.effects.push({
      ...{ do: 'update', cell, key, instance },
      ...(internal && { routes: hostnames(desired.routes) }),
      ...(tags && { tags: resolveTags(desired.metric_tags, row) }),
    });
  }
}

const internalOf = (routes: Routes): string => Buffer.from(routes?.routes['internal-router'] ?? []).toString();

/** Hostnames of the internal routes; text that is no such list counts as none. */
export function hostnames(routes: Routes): string[] {
  const list = jsonOf(internalOf(routes));
  if (!Array.isArray(list)) return [];
  return list.flatMap((one: unknown) =>
    typeof one === 'object' && one !== null && 'hostname' in one && typeof one.hostname === 'string'
      ? [one.hostname]
      : [],
  );
}

export function resolveTags(tags: DesiredLrp['metric_tags'], row: Lrp): Record<string, string> {
  const value = (tag: DesiredLrp['metric_tags'][string]): string =>
    tag.dynamic === 'INDEX'
      ? String(row.actual_lrp_key.index)
      : tag.dynamic === 'INSTANCE_GUID'
        ? row.actual_lrp_instance_key.instance_guid
        : tag.static;
  return Object.fromEntries(Object.entries(tags).map(([name, tag]) => [name, value(tag)]));
}
