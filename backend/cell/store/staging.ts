import { UnikError } from '../../../core/errors.js';
import type { Stager } from '../../../stager/staging/stage.js';
import type { Outcome, Reservation, RunOrder } from '../model.js';
import type { Narrator } from './narrator.js';
import { claimOf } from './spec.js';
import type { Words } from './words.js';

/** Processes and threads of a staging task that does not say. */
const PIDS = 1024;

/** What becomes of a staging task whose cell went down: half of it cannot be gone on with. */
export const INTERRUPTED: Outcome = {
  failed: true,
  reason: 'staging was interrupted: the cell was restarted in the middle of it; stage again',
  retryable: false,
};

/** Carries out a staging task and tells of it. Rejects by the signal's reason. */
export async function stageIt(
  what: { reservation: Reservation; order: RunOrder; narrator: Narrator; began: () => void },
  { stager, words }: { stager?: Stager; words: Pick<Words, 'creating'> },
  signal: AbortSignal,
): Promise<Outcome> {
  const { reservation, order, narrator, began } = what;
  const { guid, demand } = reservation;
  const { staging, downloads, launch, limits, logs, result_file } = order;
  if (!stager || !staging) throw new UnikError('internal', `nothing on this cell can carry out the task ${guid}`);
  narrator.cell(words.creating(guid));
  return stager.stage(
    {
      ...{ guid, action: staging.action, downloads, env: launch.env, log_source: logs.source },
      limits: { ...claimOf(demand), pids: limits.max_pids ?? PIDS },
      ...(result_file === undefined ? {} : { result_file }),
    },
    { say: (line) => narrator.say(line), began },
    signal,
  );
}
