/** Takes all work off a Diego of this process, so that its cells have nothing left to hold. */
import { BbsError, type Bbs } from '../backend/wire/bbs.js';
import type { Clock } from '../core/clock.js';

/** Resolves when nothing runs any more, or after so many milliseconds. */
export async function emptyDiego(bbs: Bbs, clock: Clock, most_ms: number): Promise<void> {
  const until = clock.now() + most_ms;
  const gone = (err: unknown): void => {
    if (!(err instanceof BbsError)) throw err;
  };
  for (;;) {
    const [{ desired_lrps }, { actual_lrps }, { tasks }] = await Promise.all([
      bbs.call('desired_lrps', {}),
      bbs.call('actual_lrps', {}),
      bbs.call('tasks', {}),
    ]);
    for (const { process_guid } of desired_lrps) await bbs.call('remove_lrp', { process_guid }).catch(gone);
    const open = tasks.filter(({ state }) => state === 'Pending' || state === 'Running');
    for (const { task_guid } of open) await bbs.call('cancel_task', { task_guid }).catch(gone);
    if (desired_lrps.length + actual_lrps.length + open.length === 0 || clock.now() > until) return;
    await clock.sleep(200);
  }
}
