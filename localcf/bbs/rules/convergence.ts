/** What is made right again from time to time, LRPs (bbs controllers/lrp_convergence_controller.go, lrp_convergence.go). */
import { isDeepStrictEqual } from 'node:util';
import type { LrpStart } from '../../auction/model.js';
import type { Draft } from '../draft.js';
import type { DesiredLrp, Lrp } from '../model.js';
import { newRow, retire, unclaim } from './actual-lrp.js';
import { hostnames, resolveTags } from './desired-lrp.js';
import { freshDomains, pruneDomains } from './domain.js';
import { tell } from './events.js';
import { restartIsDue } from './restart.js';
import { lrpStart } from './starts.js';

/**
 * All that is to be done is found first, from the rows as they stand, then done. One auction for everything; the
 * stops and updates of cells are effects.
 */
export function convergeLrps(draft: Draft): void {
  pruneDomains(draft);
  pruneEvacuating(draft);
  const rows = [...draft.state.lrps()];
  const extra = rows.filter((row) => isExtra(draft, row));
  const missing = missingIndices(draft);
  const due = rows.filter((row) => isDue(draft, row));
  const lost = rows.filter((row) => isLost(draft, row));
  const returned = rows.filter((row) => row.presence === 'SUSPECT' && draft.around.cells.has(cellOf(row)));
  const needless = rows.filter((row) => isNeedless(draft, row));
  const starts: LrpStart[] = [];

  for (const row of extra) retire(draft, row.actual_lrp_key, { reported: false });
  for (const [desired, index] of missing) starts.push(createMissing(draft, desired, index));
  for (const row of due) starts.push(...startAgain(draft, row));
  for (const row of lost) starts.push(...suspect(draft, row));
  if (draft.policy.promotesReturned) for (const row of returned) promote(draft, row);
  for (const row of needless) {
    if (draft.state.lrp(row.actual_lrp_key.process_guid, row.actual_lrp_key.index, 'SUSPECT') !== row) continue;
    draft.dropLrp(row);
    tell(draft, row, undefined);
  }
  for (const row of rows) repeatUpdates(draft, row);
  if (starts.length > 0) draft.effects.push({ do: 'auction_lrps', starts });
}

const cellOf = (row: Lrp): string => row.actual_lrp_instance_key.cell_id;
const desiredOf = (draft: Draft, row: Lrp): DesiredLrp | undefined =>
  draft.state.desired.get(row.actual_lrp_key.process_guid);

/** On a cell without presence. */
function cellIsMissing({ around, policy }: Draft, row: Lrp): boolean {
  return around.cells.size === 0 ? policy.emptyCellSetMissesAll : !around.cells.has(cellOf(row));
}

function pruneEvacuating(draft: Draft): void {
  if (!draft.policy.convergencePrunesEvacuating) return;
  for (const row of [...draft.state.lrps()]) {
    if (row.presence !== 'EVACUATING' || !cellIsMissing(draft, row)) continue;
    draft.dropLrp(row);
    tell(draft, row, undefined);
  }
}

/** Ordinary rows beyond the wanted count, or of nothing wanted: to be retired, in a fresh domain only. */
function isExtra(draft: Draft, row: Lrp): boolean {
  if (row.presence !== 'ORDINARY') return false;
  const desired = desiredOf(draft, row);
  if (!desired) return draft.policy.retiresOrphan(isFresh(draft, row.actual_lrp_key.domain));
  if (row.actual_lrp_key.index < desired.instances || countIsRight(draft, desired)) return false;
  return draft.policy.retiresExtra(isFresh(draft, desired.domain));
}

const isFresh = (draft: Draft, domain: string): boolean => freshDomains(draft).includes(domain);

/** Diego looks at indices only where the number of rows is wrong. */
const countIsRight = ({ state }: Draft, { process_guid, instances }: DesiredLrp): boolean =>
  state.lrpsOf(process_guid).filter(({ presence }) => presence === 'ORDINARY').length === instances;

function missingIndices(draft: Draft): [DesiredLrp, number][] {
  if (!draft.policy.createsMissing) return [];
  return [...draft.state.desired.values()]
    .filter((desired) => !countIsRight(draft, desired))
    .flatMap((desired) =>
      Array.from({ length: desired.instances }, (_, index) => index)
        .filter((index) => !draft.ordinary({ process_guid: desired.process_guid, index }))
        .map((index): [DesiredLrp, number] => [desired, index]),
    );
}

function createMissing(draft: Draft, desired: DesiredLrp, index: number): LrpStart {
  const { process_guid, domain } = desired;
  tell(draft, undefined, draft.putLrp(newRow(draft, { process_guid, index, domain }, 'ORDINARY')));
  return lrpStart(desired, [index]);
}

/** Waiting for a place too long, or crashed long enough ago. */
function isDue(draft: Draft, row: Lrp): boolean {
  if (row.presence !== 'ORDINARY' || !desiredOf(draft, row)) return false;
  const age_ms = draft.ageMs(row.since);
  if (row.state === 'UNCLAIMED') return age_ms > draft.policy.staleUnclaimedMs;
  return row.state === 'CRASHED' && restartIsDue(row, age_ms, draft.policy);
}

function startAgain(draft: Draft, found: Lrp): LrpStart[] {
  const row = draft.ordinary(found.actual_lrp_key);
  const desired = desiredOf(draft, found);
  if (!row || !desired) return [];
  if (row.state !== 'UNCLAIMED') tell(draft, row, unclaim(draft, row));
  return [lrpStart(desired, [row.actual_lrp_key.index])];
}

function isLost(draft: Draft, row: Lrp): boolean {
  const placed = row.state === 'RUNNING' || row.state === 'CLAIMED';
  return row.presence === 'ORDINARY' && placed && desiredOf(draft, row) !== undefined && cellIsMissing(draft, row);
}

/** It may yet return: kept as SUSPECT beside a replacement. Where there is a suspect already, it is placed anew later. */
function suspect(draft: Draft, row: Lrp): LrpStart[] {
  const { policy, state } = draft;
  const { actual_lrp_key: key } = row;
  const desired = desiredOf(draft, row);
  if (!policy.suspectsMissingCell || draft.ordinary(key) !== row || !desired) return [];
  if (state.lrp(key.process_guid, key.index, 'SUSPECT')) {
    tell(draft, row, unclaim(draft, row));
    return [];
  }
  draft.dropLrp(row);
  tell(draft, row, draft.putLrp({ ...row, presence: 'SUSPECT' }));
  if (!policy.replacesSuspect) return [];
  return [createMissing(draft, desired, key.index)];
}

/** Its cell is back before the replacement ran. */
function promote(draft: Draft, row: Lrp): void {
  const replacement = draft.ordinary(row.actual_lrp_key);
  if (replacement) {
    draft.dropLrp(replacement);
    tell(draft, replacement, undefined);
  }
  draft.dropLrp(row);
  tell(draft, row, draft.putLrp({ ...row, presence: 'ORDINARY' }));
}

/** A suspect of nothing wanted, or beside a running replacement. */
function isNeedless(draft: Draft, row: Lrp): boolean {
  if (row.presence !== 'SUSPECT') return false;
  if (!desiredOf(draft, row)) return draft.policy.retiresOrphan(isFresh(draft, row.actual_lrp_key.domain));
  return row.state === 'RUNNING' && draft.ordinary(row.actual_lrp_key)?.state === 'RUNNING';
}

/** A cell is told of routes and tags until its instances carry them. */
function repeatUpdates(draft: Draft, row: Lrp): void {
  const { policy, around } = draft;
  const desired = desiredOf(draft, row);
  const cell = around.cells.get(cellOf(row));
  if (row.presence !== 'ORDINARY' || row.state !== 'RUNNING' || !desired || !cell) return;
  const { actual_lrp_key: key, actual_lrp_instance_key: instance } = row;
  const routes = hostnames(desired.routes);
  const actual = row.actual_lrp_internal_routes.map(({ hostname }) => hostname);
  if (policy.repeatsRoutes && !isDeepStrictEqual(routes.toSorted(), actual.toSorted()))
    draft.effects.push({ do: 'update', cell, key, instance, routes });
  const tags = resolveTags(desired.metric_tags, row);
  if (policy.repeatsTags && policy.comparesTags(row.metric_tags) && !isDeepStrictEqual(tags, { ...row.metric_tags }))
    draft.effects.push({ do: 'update', cell, key, instance, tags });
}
