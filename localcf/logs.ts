/** Where lines and metrics of apps go: the log-cache of this process, or another's. */
import { join } from 'node:path';
import type { Envelope } from '../backend/wire/loggregator.js';
import { readIdentity } from '../core/tls.js';
import type { Undo } from '../core/undo.js';
import { storeLogs, type AppLogs } from './cc/diego/logs.js';
import type { Ground } from './ground.js';
import { createStore, keptStore, serveIngress } from './logcache/index.js';
import type { LocalCfOptions } from './options.js';
import { tapped, type Tapped } from './page/lines.js';
import { remoteLogs } from './remote-logs.js';
import type { AccessRecord } from './router/index.js';

export interface LogsPart extends Tapped {
  /** What the Cloud Controller reads and adds to. */
  app_logs: AppLogs;
  /** `host:port` of the agent to which cells send. */
  agent: string;
}

const BOUNDS = { max_per_source: 5_000, max_bytes: 256 * 2 ** 20 };

export async function openLogs(
  { home, config, clock, log }: LocalCfOptions,
  { tls, ports }: Ground,
  undo: Undo,
): Promise<LogsPart> {
  const kept = await keptStore(createStore(BOUNDS), { folder: join(home, 'lines'), clock, log });
  undo.push('log lines', () => kept.close());
  const tap = tapped(kept);
  const { store } = tap;
  const ingress = await serveIngress({ tls, port: ports['agent'] ?? 0, take: (envelopes) => store.put(envelopes) });
  undo.push('logs', () => ingress.close());
  if (!config.logs) return { ...tap, app_logs: storeLogs(store, clock), agent: ingress.address };
  const identity = config.logs.tls ? await readIdentity(config.logs.tls, 'logs.tls') : tls;
  const remote = remoteLogs({ ...config.logs, tls: identity, log });
  undo.push('remote logs', () => remote.close());
  return { ...tap, app_logs: remote, agent: config.logs.agent };
}

/** A request, as the router's line in the app's log. */
export const accessEnvelope = ({ source_id, instance_id, source_type, tags, text, at }: AccessRecord): Envelope => ({
  timestamp: BigInt(Math.round(at * 1_000)) * 1_000n,
  ...{ source_id, instance_id, deprecated_tags: {}, tags: { ...tags, source_type } },
  log: { payload: Buffer.from(text), type: 'OUT' },
});
