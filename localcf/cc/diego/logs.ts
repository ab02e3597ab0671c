/** The log lines and gauges of apps, to read and to add to. */
import type { Envelope } from '../../../backend/wire/loggregator.js';
import type { Clock } from '../../../core/clock.js';
import type { EnvelopeType, LogStore } from '../../logcache/store.js';
import type { App } from '../model.js';

export interface AppLogs {
  /** Newest first; `since`: epoch milliseconds. */
  read(source_id: string, query: { types: readonly EnvelopeType[]; since: number; limit: number }): Promise<Envelope[]>;
  write(envelope: Envelope): void;
}

export const storeLogs = (store: LogStore, clock: Clock): AppLogs => ({
  read: async (source_id, { types, since, limit }) =>
    store.read(source_id, {
      ...{ types, limit, descending: true },
      start_time: BigInt(since) * 1_000_000n,
      end_time: BigInt(clock.now() + 1_000) * 1_000_000n,
    }),
  write: (envelope) => store.put([envelope]),
});

/** A line of the platform's own, as Cloud Controller writes them (`API`) and staging does (`STG`). */
export function say(
  logs: AppLogs,
  app: Pick<App, 'guid' | 'name'>,
  source_type: 'API' | 'STG',
  text: string,
  now: number,
): void {
  logs.write({
    timestamp: BigInt(now) * 1_000_000n,
    source_id: app.guid,
    instance_id: '0',
    deprecated_tags: {},
    tags: { source_type, app_id: app.guid, app_name: app.name, source_id: app.guid, instance_id: '0' },
    log: { payload: Buffer.from(text), type: 'OUT' },
  });
}
