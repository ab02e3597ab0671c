/** Crashes that the BBS tells of, as the events that `cf events` shows (tps-watcher, CC `crash_event_repository.rb`). */
import type { ActualLRPCrashedEvent } from '../../../protos/generated.js';
import { audit } from '../events.js';
import { processOf } from '../recipes/desired-lrp.js';
import type { Store } from '../store.js';

export function recordCrash(store: Store, event: ActualLRPCrashedEvent): void {
  const { process_guid = '', index = 0 } = event.actual_lrp_key ?? {};
  const { instance_guid = '', cell_id = '' } = event.actual_lrp_instance_key ?? {};
  const process = store.process.get(processOf(process_guid));
  const app = process && store.app.get(process.app_guid);
  if (!process || !app) return;
  const data = {
    ...{ instance: instance_guid, index, cell_id, reason: 'CRASHED' },
    ...{ exit_description: event.crash_reason, crash_count: event.crash_count },
    crash_timestamp: Number(event.since),
    version: process.version,
  };
  const actor = { guid: process.guid, type: 'process' as const, name: process.type };
  const place = { space_guid: app.space_guid, data };
  store.change((tx) => {
    audit(tx, store, actor, 'app.crash', { guid: app.guid, type: 'app', name: app.name }, place);
    audit(tx, store, actor, 'audit.app.process.crash', { guid: app.guid, type: 'app', name: app.name }, place);
  });
}
