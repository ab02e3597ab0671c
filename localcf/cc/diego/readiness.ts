/** Instances that routers get or lose, as the events that `cf events` shows (tps-watcher, CC `process_event_repository.rb`). */
import type { ActualLRPInstanceChangedEvent } from '../../../protos/generated.js';
import { audit } from '../events.js';
import { processOf } from '../recipes/desired-lrp.js';
import type { Store } from '../store.js';

export function recordReadiness(store: Store, event: ActualLRPInstanceChangedEvent): void {
  const isReady = event.after?.routable === true;
  // One that ends has no say any more.
  if (isReady === (event.before?.routable === true) || event.after?.state !== 'RUNNING') return;
  const { process_guid = '', index = 0 } = event.actual_lrp_key ?? {};
  const { instance_guid = '', cell_id = '' } = event.actual_lrp_instance_key ?? {};
  const process = store.process.get(processOf(process_guid));
  const app = process && store.app.get(process.app_guid);
  if (!process || !app) return;
  const data = { instance: instance_guid, index, cell_id, version: process.version };
  store.change((tx) =>
    audit(
      tx,
      store,
      { guid: process.guid, type: 'process', name: process.type },
      `audit.app.process.${isReady ? 'ready' : 'not-ready'}`,
      { guid: app.guid, type: 'app', name: app.name },
      { space_guid: app.space_guid, data },
    ),
  );
}
