import { BbsError } from '../../../backend/wire/bbs.js';
import { APPS_DOMAIN, desiredLrp } from '../recipes/desired-lrp.js';
import type { ProcessFacts } from '../recipes/facts.js';
import type { Store } from '../store.js';
import { freshen } from './domain.js';
import { processFacts } from './gather.js';
import { planLrps } from './plan.js';
import type { SyncOptions } from './sync.js';

/** Desires what is to run, changes what differs, and removes the rest. What fails does not keep the others. */
export async function syncLrps({ store, bbs, places, log }: SyncOptions, signal: AbortSignal): Promise<void> {
  const { desired_lrp_scheduling_infos: there } = await bbs.call(
    'scheduling_infos',
    { domain: APPS_DOMAIN },
    { signal },
  );
  const plan = planLrps(wanted(store), there);
  const failures: unknown[] = [];
  const attempt = async (what: string, process_guid: string, work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
      log.info({ process_guid }, `sync.${what}`);
    } catch (err) {
      signal.throwIfAborted();
      // Done by a call whose answer was lost, or gone meanwhile: the next pass sees what is there.
      const overtaken = err instanceof BbsError && (err.type === 'ResourceNotFound' || err.type === 'ResourceExists');
      if (!overtaken) failures.push(err);
    }
  };
  for (const process_guid of plan.remove) {
    await attempt('removed', process_guid, () => bbs.call('remove_lrp', { process_guid }, { signal }));
  }
  for (const { process_guid, update } of plan.update) {
    await attempt('updated', process_guid, () => bbs.call('update_lrp', { process_guid, update }, { signal }));
  }
  for (const facts of plan.desire) {
    const desired_lrp = desiredLrp(facts, places);
    await attempt('desired', desired_lrp.process_guid ?? '', () => bbs.call('desire_lrp', { desired_lrp }, { signal }));
  }
  if (failures.length > 0) throw failures[0];
  await freshen(bbs, APPS_DOMAIN, signal);
}

/** Every process that is to run: of a started app with a droplet, at least one of it. */
function wanted(store: Store): ProcessFacts[] {
  return store.process
    .filter(({ app_guid, instances }) => instances > 0 && store.app.get(app_guid)?.state === 'STARTED')
    .flatMap((process) => processFacts(store, process) ?? []);
}
