/** What Cloud Controller is told of a failed staging: an id it knows, and no detail that is not for its users. */
export interface StagingFailure {
  id: string;
  message: string;
}

/** The builder's exit statuses that have an id of their own. */
const BY_STATUS: readonly [suffix: string, id: string][] = [
  ['222', 'NoAppDetectedError'],
  ['223', 'BuildpackCompileFailed'],
  ['224', 'BuildpackReleaseFailed'],
];
/** Words of the auctioneer; they are for users, and stay. */
const BY_PREFIX: readonly [prefix: string, id: string][] = [
  ['insufficient resources', 'InsufficientResources'],
  ['found no compatible cell', 'NoCompatibleCell'],
];
const CELL_COMMUNICATION = 'unable to communicate to compatible cells';

/** As cloudfoundry/stager sanitises it (`backend/error_sanitizer.go`). */
export function failureOf(message: string): StagingFailure {
  if (message === CELL_COMMUNICATION) return { id: 'CellCommunicationError', message };
  const kept = BY_PREFIX.find(([prefix]) => message.startsWith(prefix));
  if (kept) return { id: kept[1], message };
  const status = BY_STATUS.find(([suffix]) => message.endsWith(suffix));
  return { id: status?.[1] ?? 'StagingError', message: 'staging failed' };
}
