/** The life of an actual LRP by a cell's and the auctioneer's word (bbs controllers/actual_lrp_lifecycle_controller.go). */
import { isDeepStrictEqual } from 'node:util';
import type { Draft } from '../draft.js';
import {
  NOT_FOUND,
  Refusal,
  type InstanceKey,
  type Lrp,
  type LrpKey,
  type Presence,
  type RunningInstance,
} from '../model.js';
import { Slot } from './events.js';
import { crashCount, restartsAtOnce } from './restart.js';
import { lrpStart } from './starts.js';
import { cut } from './text.js';

export const noInstance = (): InstanceKey => ({ instance_guid: '', cell_id: '' });

export const noNetInfo = (): Lrp['actual_lrp_net_info'] => ({
  ...{ address: '', ports: [], instance_address: '' },
  ...{ preferred_address: 'UNKNOWN', instance_ipv6_address: '' },
});

/** A new row of `state`; the modification tag begins anew. */
export function newRow(draft: Draft, key: LrpKey, presence: Presence): Lrp {
  return {
    actual_lrp_key: key,
    actual_lrp_instance_key: noInstance(),
    actual_lrp_net_info: noNetInfo(),
    crash_count: 0,
    crash_reason: '',
    state: 'UNCLAIMED',
    placement_error: '',
    since: draft.now,
    modification_tag: { epoch: draft.around.uuid(), index: 0 },
    presence,
    actual_lrp_internal_routes: [],
    metric_tags: {},
    routable: false,
    availability_zone: '',
  };
}

export const asRunning = (instance: InstanceKey, running: RunningInstance): Partial<Lrp> => ({
  actual_lrp_instance_key: instance,
  actual_lrp_net_info: running.net_info,
  actual_lrp_internal_routes: running.internal_routes,
  metric_tags: running.metric_tags,
  routable: running.routable,
  availability_zone: running.availability_zone,
  state: 'RUNNING',
});

/** Writes `row` with these members changed, stamped and counted as changed. */
export function alter(draft: Draft, row: Lrp, members: Partial<Lrp>): Lrp {
  const { epoch, index } = row.modification_tag;
  return draft.putLrp({ ...row, since: draft.now, modification_tag: { epoch, index: index + 1 }, ...members });
}

export const unclaim = (draft: Draft, row: Lrp): Lrp =>
  alter(draft, row, {
    state: 'UNCLAIMED',
    actual_lrp_instance_key: noInstance(),
    actual_lrp_net_info: noNetInfo(),
  });

export function claim(draft: Draft, at: Pick<LrpKey, 'process_guid' | 'index'>, instance: InstanceKey): void {
  const { policy } = draft;
  const slot = new Slot(draft, at.process_guid, at.index);
  if (policy.ignoresSuspect && slot.holder(instance)?.presence === 'SUSPECT') return;
  const row = draft.ordinary(at);
  if (!row) throw NOT_FOUND();
  if (!policy.mayClaim(row, instance)) throw new Refusal('ActualLRPCannotBeClaimed', 'cannot claim actual LRP');
  if (row.state === 'CLAIMED' && isDeepStrictEqual(row.actual_lrp_instance_key, instance)) return;
  const after = alter(draft, row, {
    state: 'CLAIMED',
    actual_lrp_instance_key: instance,
    ...(policy.claimClearsPlacementError && { placement_error: '' }),
    ...(policy.claimClearsNetInfo && { actual_lrp_net_info: noNetInfo() }),
  });
  slot.note(row, after);
  slot.close();
}

export function start(draft: Draft, key: LrpKey, instance: InstanceKey, running: RunningInstance): void {
  const { policy, state } = draft;
  const slot = new Slot(draft, key.process_guid, key.index);
  if (policy.ignoresSuspect && slot.holder(instance)?.presence === 'SUSPECT') return;
  const row = draft.ordinary(key);
  if (!row) {
    if (!policy.startCreatesMissing) throw NOT_FOUND();
    slot.note(undefined, draft.putLrp({ ...newRow(draft, key, 'ORDINARY'), ...asRunning(instance, running) }));
  } else if (!(policy.repeatedStartIsSilent && runsAlready(row, key, instance, running))) {
    if (!policy.mayStart(row, key, instance)) throw new Refusal('ActualLRPCannotBeStarted', 'cannot start actual LRP');
    const after = alter(draft, row, {
      ...asRunning(instance, running),
      ...(policy.startClearsPlacementError && { placement_error: '' }),
    });
    slot.note(row, after);
  }
  const replaced = [
    policy.startRemovesEvacuating ? state.lrp(key.process_guid, key.index, 'EVACUATING') : undefined,
    policy.startRemovesSuspect ? state.lrp(key.process_guid, key.index, 'SUSPECT') : undefined,
  ];
  for (const old of replaced) {
    if (!old) continue;
    draft.dropLrp(old);
    slot.note(old, undefined);
  }
  slot.close();
}

function runsAlready(row: Lrp, key: LrpKey, instance: InstanceKey, running: RunningInstance): boolean {
  return (
    row.state === 'RUNNING' && isDeepStrictEqual({ ...row, actual_lrp_key: key, ...asRunning(instance, running) }, row)
  );
}

/** What a crash makes of the row, with the events' slot noted; `again`: it is to be restarted now. */
export function crashRow(
  draft: Draft,
  slot: Slot,
  key: LrpKey,
  instance: InstanceKey,
  reason: string,
): { again: boolean } {
  const { policy } = draft;
  const row = draft.ordinary(key);
  if (!row) throw NOT_FOUND();
  if (!policy.mayCrash(row, instance)) throw new Refusal('ActualLRPCannotBeCrashed', 'cannot crash actual LRP');
  const crash_count = crashCount(row, draft.ageMs(row.since), policy);
  const again = restartsAtOnce(crash_count, policy);
  const after = alter(draft, row, {
    state: again ? 'UNCLAIMED' : 'CRASHED',
    crash_count,
    crash_reason: cut(reason, policy.longestReason),
    ...(policy.crashClearsInstance && { actual_lrp_instance_key: noInstance(), actual_lrp_net_info: noNetInfo() }),
  });
  slot.note(row, after);
  return { again };
}

export function crash(draft: Draft, key: LrpKey, instance: InstanceKey, reason: string): Refusal | undefined {
  const { policy } = draft;
  const slot = new Slot(draft, key.process_guid, key.index);
  const holder = slot.holder(instance);
  if (policy.suspectCrashRemovesIt && holder?.presence === 'SUSPECT') {
    draft.dropLrp(holder);
    slot.note(holder, undefined);
    slot.close();
    return undefined;
  }
  const { again } = crashRow(draft, slot, key, instance, reason);
  slot.close({ crash: true });
  if (!again) return undefined;
  const desired = draft.state.desired.get(key.process_guid);
  // The crash stands, though it is told as a failure: Diego looks for the desired LRP only afterwards.
  if (!desired) return NOT_FOUND();
  if (policy.auctionAfterCrash) draft.effects.push({ do: 'auction_lrps', starts: [lrpStart(desired, [key.index])] });
  return undefined;
}

/** The auctioneer found no place. */
export function fail(draft: Draft, key: LrpKey, reason: string): void {
  const slot = new Slot(draft, key.process_guid, key.index);
  const row = draft.ordinary(key);
  // bbs FailActualLRP keeps the absence of a row to itself.
  if (!row) return;
  if (!draft.policy.mayFail(row)) throw new Refusal('ActualLRPCannotBeFailed', 'cannot fail actual LRP');
  slot.note(row, alter(draft, row, { placement_error: cut(reason, draft.policy.longestReason) }));
  slot.close();
}

/** `instance` undefined: whichever it is. */
export function remove(
  draft: Draft,
  at: Pick<LrpKey, 'process_guid' | 'index'>,
  instance: InstanceKey | undefined,
): void {
  const slot = new Slot(draft, at.process_guid, at.index);
  const row = draft.ordinary(at);
  if (!row || !draft.policy.mayRemove(row, instance)) throw NOT_FOUND();
  draft.dropLrp(row);
  slot.note(row, undefined);
  slot.close();
}

/** Ends one instance: by its cell where one has it, else by dropping the row. `reported`: the cell's failure is told. */
export function retire(draft: Draft, key: LrpKey, { reported }: { reported: boolean }): void {
  const { policy, around } = draft;
  const slot = new Slot(draft, key.process_guid, key.index);
  const row = draft.ordinary(key);
  if (!row) throw NOT_FOUND();
  const cell = around.cells.get(row.actual_lrp_instance_key.cell_id);
  if (policy.dropsWithoutCell(row) || (!cell && policy.retireDropsWhenCellUnknown)) draft.dropLrp(row);
  else if (cell) {
    const { actual_lrp_key, actual_lrp_instance_key: instance } = row;
    draft.effects.push({ do: 'stop', cell, key: actual_lrp_key, instance, reported });
  }
  // Told as removed even while its cell still stops it, and once more when the cell removes it.
  slot.note(row, undefined);
  slot.close();
}
