/**
 * Routes change while an instance runs: `cf map-route`. The BBS tells them in its desired LRPs only, so those of our
 * instances are read again at each event about one of them, and every so often (route-emitter `watcher/watcher.go`).
 */
import type { Clock } from '../../core/clock.js';
import { messageOf } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import type { Containers } from '../cell/containers.js';
import { httpRoutes } from '../convert/routes.js';
import type { Bbs } from '../wire/bbs.js';
import type { BbsEvent } from '../wire/bbs-events.js';

export interface RouteSyncOptions {
  bbs: Bbs;
  /** Follows the events of the BBS until the signal; `onOpen`: what happened before was not told. */
  follow: (tell: (event: BbsEvent) => void, onOpen: () => void, signal: AbortSignal) => Promise<void>;
  containers: Pick<Containers, 'list' | 'update'>;
  clock: Clock;
  log: Log;
  /** Between readings that no event asked for: 60 s. */
  sync_ms?: number;
}

/** Reads and listens until the signal. Never throws. */
export async function syncRoutes(options: RouteSyncOptions, signal: AbortSignal): Promise<void> {
  const { containers, follow, clock, log, sync_ms = 60_000 } = options;
  let bell = new AbortController();
  const ring = (): void => bell.abort();
  const isOurs = (process_guid: string | undefined): boolean =>
    containers.list().some(({ reservation: one }) => one.kind === 'lrp' && one.lrp.process_guid === process_guid);
  const tell = (event: BbsEvent): void => {
    if (event.event === 'desired_lrp_changed' && isOurs(event.data.after?.process_guid)) ring();
  };
  const listening = follow(tell, ring, signal);
  const end = (): void => ring();
  signal.addEventListener('abort', end, { once: true });
  while (!signal.aborted) {
    bell = new AbortController();
    try {
      await readRoutes(options, signal);
    } catch (err) {
      log.warn({ reason: messageOf(err) }, 'routes.not-read');
    }
    await clock.sleep(sync_ms, bell.signal).catch(() => undefined);
  }
  signal.removeEventListener('abort', end);
  await listening;
}

/** Gives each instance of ours the routes that its LRP has now. */
export async function readRoutes({ bbs, containers }: RouteSyncOptions, signal: AbortSignal): Promise<void> {
  const mine = containers.list().flatMap(({ reservation, order, state }) => {
    if (reservation.kind !== 'lrp' || !order || state === 'completed') return [];
    return [{ guid: reservation.guid, process_guid: reservation.lrp.process_guid, order }];
  });
  if (mine.length === 0) return;
  const process_guids = [...new Set(mine.map(({ process_guid }) => process_guid))];
  const { desired_lrps } = await bbs.call('routing_infos', { process_guids }, { signal });
  const routes = new Map(desired_lrps.map((one) => [one.process_guid, httpRoutes(one.routes)]));
  for (const { guid, process_guid, order } of mine) {
    const http_routes = routes.get(process_guid);
    // Not desired any more: the BBS has its instances stopped.
    if (!http_routes || JSON.stringify(http_routes) === JSON.stringify(order.http_routes ?? [])) continue;
    containers.update(guid, { http_routes });
  }
}
