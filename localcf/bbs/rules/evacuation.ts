/** A cell empties itself: what becomes of each instance (bbs controllers/evacuation_controller.go). */
import { isDeepStrictEqual } from 'node:util';
import type { Draft } from '../draft.js';
import { NOT_FOUND, type InstanceKey, type Lrp, type LrpKey, type RunningInstance } from '../model.js';
import { alter, asRunning, crashRow, newRow, unclaim } from './actual-lrp.js';
import { Slot } from './events.js';
import { lrpStart } from './starts.js';

/** An evacuating or suspect row is simply dropped. False: the instance is the ordinary one. */
function dropSpare(draft: Draft, slot: Slot, instance: InstanceKey): boolean {
  const row = slot.holder(instance);
  if (!row) throw NOT_FOUND();
  if (row.presence === 'ORDINARY') return false;
  drop(draft, slot, row);
  return true;
}

function drop(draft: Draft, slot: Slot, row: Lrp): void {
  draft.dropLrp(row);
  slot.note(row, undefined);
}

function auction(draft: Draft, key: LrpKey): void {
  const desired = draft.state.desired.get(key.process_guid);
  if (desired && draft.policy.evacuationAuctions)
    draft.effects.push({ do: 'auction_lrps', starts: [lrpStart(desired, [key.index])] });
}

/** Not yet running: placed anew at once. */
export function evacuateClaimed(draft: Draft, key: LrpKey, instance: InstanceKey): void {
  const slot = new Slot(draft, key.process_guid, key.index);
  if (!dropSpare(draft, slot, instance)) {
    const row = draft.ordinary(key);
    if (row && row.state !== 'UNCLAIMED') {
      slot.note(row, unclaim(draft, row));
      auction(draft, key);
    }
  }
  slot.close();
}

/** Ended by a stop: its row goes, convergence makes the next. */
export function evacuateStopped(draft: Draft, key: LrpKey, instance: InstanceKey): void {
  const slot = new Slot(draft, key.process_guid, key.index);
  if (!dropSpare(draft, slot, instance)) {
    const row = draft.ordinary(key);
    if (!row || !draft.policy.mayRemove(row, instance)) throw NOT_FOUND();
    drop(draft, slot, row);
  }
  slot.close();
}

export function evacuateCrashed(draft: Draft, key: LrpKey, instance: InstanceKey, reason: string): void {
  const slot = new Slot(draft, key.process_guid, key.index);
  if (!dropSpare(draft, slot, instance)) {
    const { again } = crashRow(draft, slot, key, instance, reason);
    if (again && draft.policy.auctionAfterEvacuatedCrash) auction(draft, key);
  }
  slot.close();
}

/**
 * Running: it serves on as EVACUATING until its replacement runs. Returns keep_container. Called again and again by
 * the cell until the answer is false.
 */
export function evacuateRunning(draft: Draft, key: LrpKey, instance: InstanceKey, running: RunningInstance): boolean {
  const { policy } = draft;
  const slot = new Slot(draft, key.process_guid, key.index);
  if (slot.before.length === 0) return false;
  const mine = slot.holder(instance);
  const ordinary = draft.ordinary(key);
  const replaced = ordinary && !isDeepStrictEqual(ordinary, mine) && policy.replacementServes(ordinary);
  if (!ordinary || replaced) {
    if (mine?.presence === 'EVACUATING') drop(draft, slot, mine);
    slot.close();
    return false;
  }
  const desired = draft.state.desired.get(key.process_guid);
  const keep =
    policy.recreateStopsFirst && desired?.update_strategy === 'RECREATE'
      ? recreate(draft, slot, mine, desired.instances)
      : roll(draft, slot, { key, instance, running, mine });
  slot.close();
  return keep && policy.evacuationKeepsUntilReplaced;
}

interface Mine {
  key: LrpKey;
  instance: InstanceKey;
  running: RunningInstance;
  mine: Lrp | undefined;
}

function roll(draft: Draft, slot: Slot, { key, instance, running, mine }: Mine): boolean {
  if (!mine || mine.presence === 'EVACUATING') {
    const evacuating = draft.state.lrp(key.process_guid, key.index, 'EVACUATING');
    // One evacuating instance of an index is enough.
    if (evacuating && evacuating !== mine) return false;
    const same = evacuating && isDeepStrictEqual(evacuating.actual_lrp_net_info, running.net_info);
    if (!same) slot.note(evacuating, putEvacuating(draft, key, instance, running));
    return true;
  }
  if (mine.state !== 'RUNNING' && mine.state !== 'CLAIMED') return false;
  const { actual_lrp_net_info: net_info, actual_lrp_internal_routes: internal_routes } = mine;
  const { metric_tags, routable, availability_zone } = mine;
  const evacuating = putEvacuating(draft, mine.actual_lrp_key, instance, {
    ...{ net_info, internal_routes, metric_tags, routable, availability_zone },
  });
  // The same instance, so a change of presence for those who watch.
  slot.note(mine, evacuating);
  if (mine.presence === 'SUSPECT') {
    draft.dropLrp(mine);
    return true;
  }
  slot.note(undefined, unclaim(draft, mine));
  auction(draft, key);
  return true;
}

function putEvacuating(draft: Draft, key: LrpKey, instance: InstanceKey, running: RunningInstance): Lrp {
  const old = draft.state.lrp(key.process_guid, key.index, 'EVACUATING');
  if (old) {
    // As in Diego, a later call changes neither of these two.
    const { routable, availability_zone } = old;
    return alter(draft, old, asRunning(instance, { ...running, routable, availability_zone }));
  }
  return draft.putLrp({ ...newRow(draft, key, 'EVACUATING'), ...asRunning(instance, running) });
}

/** Update strategy RECREATE: one instance at a time, and none beside its replacement. */
function recreate(draft: Draft, slot: Slot, mine: Lrp | undefined, instances: number): boolean {
  if (!mine) return false;
  if (mine.presence !== 'ORDINARY') {
    drop(draft, slot, mine);
    return false;
  }
  if (mine.state !== 'RUNNING' && mine.state !== 'CLAIMED') return false;
  const { actual_lrp_key: key } = mine;
  const running = draft.state
    .lrpsOf(key.process_guid)
    .filter(({ presence, state }) => presence === 'ORDINARY' && state === 'RUNNING').length;
  if (running < instances) return true;
  slot.note(mine, unclaim(draft, mine));
  auction(draft, key);
  return false;
}

export function removeEvacuating(draft: Draft, key: LrpKey, instance: InstanceKey): void {
  const slot = new Slot(draft, key.process_guid, key.index);
  const row = slot.holder(instance);
  if (row?.presence !== 'EVACUATING') throw NOT_FOUND();
  drop(draft, slot, row);
  slot.close();
}
