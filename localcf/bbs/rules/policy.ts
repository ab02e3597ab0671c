/**
 * Every number and every small decision of the BBS in one record, handed to the rules: DIEGO is how Diego does it
 * (code.cloudfoundry.org/bbs, release set of 2024-10). A test of the conformance suite breaks one member at a time.
 */
import type { InstanceKey, Lrp, LrpKey, Task } from '../model.js';

export const sameInstance = (a: InstanceKey, b: InstanceKey): boolean =>
  a.instance_guid === b.instance_guid && a.cell_id === b.cell_id;

export const sameLrp = (a: LrpKey, b: LrpKey): boolean =>
  a.process_guid === b.process_guid && a.index === b.index && a.domain === b.domain;

const MINUTE = 60_000;

export const DIEGO = {
  // ---- crashes (models/restart_calculator.go)
  /** Crashes that are followed by a restart at once. */
  immediateRestarts: 2,
  /** Crashes after which nothing is restarted any more. */
  giveUpCrashes: 200,
  /** Running for longer than this before a crash, its count begins anew. */
  crashResetMs: 5 * MINUTE,
  /** Wait before the restart that follows the nth crash. */
  backoffMs: (crashes: number): number => Math.min(30_000 * 2 ** Math.max(0, crashes - 3), 16 * MINUTE),
  /** Whether a restart at once is auctioned at once. */
  auctionAfterCrash: true,
  /** A crash while evacuating waits for convergence. */
  auctionAfterEvacuatedCrash: false,
  /** Characters kept of a crash reason, placement error or failure reason. */
  longestReason: 1024,

  // ---- transitions of an actual LRP (models/actual_lrp.go AllowsTransitionTo)
  mayClaim: (row: Lrp, by: InstanceKey): boolean =>
    row.state === 'UNCLAIMED' || sameInstance(row.actual_lrp_instance_key, by),
  mayStart: (row: Lrp, key: LrpKey, by: InstanceKey): boolean =>
    sameLrp(row.actual_lrp_key, key) &&
    (row.state === 'UNCLAIMED' || row.state === 'CLAIMED' || sameInstance(row.actual_lrp_instance_key, by)),
  mayCrash: (row: Lrp, by: InstanceKey): boolean =>
    (row.state === 'CLAIMED' || row.state === 'RUNNING') && sameInstance(row.actual_lrp_instance_key, by),
  mayFail: (row: Lrp): boolean => row.state === 'UNCLAIMED',
  /** `by` undefined: any instance. */
  mayRemove: (row: Lrp, by: InstanceKey | undefined): boolean =>
    by === undefined || sameInstance(row.actual_lrp_instance_key, by),
  claimClearsPlacementError: true,
  claimClearsNetInfo: true,
  /** A start of an index that has no row makes one. */
  startCreatesMissing: true,
  startClearsPlacementError: true,
  startRemovesEvacuating: true,
  startRemovesSuspect: true,
  /** An identical start changes nothing, not even `since`. */
  repeatedStartIsSilent: true,
  crashClearsInstance: true,
  ignoresSuspect: true,
  suspectCrashRemovesIt: true,

  // ---- retire, scale down, delete
  /** Rows that no cell knows of are dropped without asking one. */
  dropsWithoutCell: (row: Lrp): boolean => row.state === 'UNCLAIMED' || row.state === 'CRASHED',
  stopAttempts: 5,
  stopSparesEvacuating: true,
  retireDropsWhenCellUnknown: true,
  removeStopsInstances: true,
  scaleDownStopsInstances: true,
  scaleUpStartsInstances: true,
  updateReachesInstances: true,

  // ---- evacuation
  evacuationKeepsUntilReplaced: true,
  evacuationAuctions: true,
  replacementServes: (row: Lrp): boolean => row.state === 'RUNNING' || row.state === 'CRASHED',
  /** Evacuating rows of cells that are gone are dropped at convergence. */
  convergencePrunesEvacuating: true,
  recreateStopsFirst: true,

  // ---- convergence of LRPs
  staleUnclaimedMs: 30_000,
  createsMissing: true,
  retiresExtra: (fresh: boolean): boolean => fresh,
  retiresOrphan: (fresh: boolean): boolean => fresh,
  suspectsMissingCell: true,
  /** Diego's trap: with no cell at all, every claimed or running LRP counts as on a missing one. */
  emptyCellSetMissesAll: true,
  replacesSuspect: true,
  promotesReturned: true,
  repeatsRoutes: true,
  repeatsTags: true,
  /** An instance started without metric tags is never compared. */
  comparesTags: (tags: Record<string, string>): boolean => Object.keys(tags).length > 0,

  // ---- tasks
  maxTaskRetries: 3,
  mayStartTask: (task: Task): boolean => task.state === 'Pending',
  mayCompleteTask: (task: Task): boolean => task.state === 'Running',
  mayCancelTask: (task: Task): boolean => task.state === 'Running' || task.state === 'Pending',
  mayRejectTask: (task: Task): boolean => task.state === 'Pending' || task.state === 'Running',
  mayResolveTask: (task: Task): boolean => task.state === 'Completed',
  mayDeleteTask: (task: Task): boolean => task.state === 'Resolving',
  completionNeedsCell: true,
  repeatedTaskStart: (task: Task, cell_id: string): boolean => task.state === 'Running' && task.cell_id === cell_id,
  cancelReachesCell: true,
  failsTasksOfMissingCells: true,
  auctionsPendingTasks: true,
  expiredTaskReason: 'not started within time limit',
  missingCellTaskReason: 'cell disappeared before completion',
  cancelledTaskReason: 'task was cancelled',
  callbackTries: 3,
  /** Statuses of a callback that are tried again; any other ends the task. */
  callbackRetries: (status: number): boolean => status === 503 || status === 504,

  // ---- domains
  /** `ttl_s` 0 never expires. */
  domainExpiry: (now_ms: number, ttl_s: number): number => (ttl_s === 0 ? Infinity : now_ms + ttl_s * 1_000),
};

export type Policy = typeof DIEGO;
