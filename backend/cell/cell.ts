/** A cell that serves: its parts in the order in which Diego's rep starts them. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Clock } from '../../core/clock.js';
import { messageOf } from '../../core/errors.js';
import { limiter } from '../../core/limit.js';
import type { Log } from '../../core/log.js';
import { readIdentity, requireHost } from '../../core/tls.js';
import { Undo } from '../../core/undo.js';
import type { Messages } from '../../protos/generated.js';
import type { LogConfig } from './model.js';
import type { IngressStats } from '../logs/ingress.js';
import type { Sink } from '../logs/sink.js';
import { createCellMetrics } from '../metrics/cell-metrics.js';
import { serveStatus } from '../metrics/status.js';
import { Reconciler } from '../reconcile/loop.js';
import type { Convert } from '../reconcile/perform.js';
import type { Face } from '../rep/face.js';
import { ADMIN_ROUTES, NETWORK_ROUTES, serve } from '../rep/server.js';
import { createBbs, type Bbs } from '../wire/bbs.js';
import { createLocket } from '../wire/locket.js';
import type { CellConfig } from './config.js';
import type { Containers } from './containers.js';
import { evacuate } from './evacuation.js';
import { Presence, presenceOwner, presenceValue } from './presence.js';
import { startRoutes } from './routes.js';
import { Sampler } from './sampler.js';

/** What a cell is put together from. */
export interface CellParts {
  containers: Containers;
  convert: Convert;
  sink: Sink;
  /** What became of the lines, where there is an agent. */
  logStats?: () => IngressStats;
  /** Called once, after the first bulk pass: machines and files that no record knows may go. */
  sweep?: () => Promise<void>;
  /** After the containers were closed. */
  close?: () => Promise<void>;
}

export interface CellDeps {
  config: CellConfig;
  parts: CellParts;
  clock: Clock;
  log: Log;
  /** Gives up a start that waits for Locket. */
  signal: AbortSignal;
}

export interface Cell {
  /** Resolves when an evacuation has emptied it. */
  drained: Promise<void>;
  /** Ends our part. Machines and presence stay: a restart within the presence's time is seen by nobody. */
  close(): Promise<void>;
}

/** At once on their way to the BBS; more would only wait there, on the time of their own timeouts. */
const BBS_CALLS = 32;
/** How long machines may take to end after an evacuation's timeout: their 10 s of grace, and as much again. */
const GRACE_MS = 20_000;
const HANDLE_LENGTH = 28;

export async function startCell({ config, parts, clock, log, signal }: CellDeps): Promise<Cell> {
  const { containers, sink } = parts;
  const undo = new Undo();
  const ending = new AbortController();
  const close = async (): Promise<void> => {
    ending.abort();
    await undo.unwind(log);
  };
  try {
    undo.push('parts', () => parts.close?.());
    undo.push('containers', () => containers.close());
    const own = (key: 'tls' | 'bbs' | 'locket') => readIdentity(config.identities[key], key);
    const identity = await own('tls');
    requireHost(identity, config.admin_addr.host, 'tls');
    const locket = createLocket({
      ...{ address: config.locket.address, tls: await own('locket'), timeout_ms: config.locket.heartbeat },
      ...{ keepalive_time_ms: config.locket.keepalive_time, keepalive_timeout_ms: config.locket.keepalive_timeout },
    });
    undo.push('locket', () => locket.close());
    const { url, timeout: timeout_ms } = config.bbs;
    const bbs = limited(createBbs({ url, tls: await own('bbs'), clock, timeout_ms }));
    undo.push('bbs', () => bbs.close());

    await containers.recover();
    const routes = await startRoutes({ config, containers, bbs, clock, log });
    undo.push('routes', () => routes?.close());
    const facts = {
      ...{ cell_id: config.cell_id, rep_url: config.rep_url, zone: config.zone, stacks: config.stacks },
      ...{ placement_tags: config.placement_tags, optional_placement_tags: config.optional_placement_tags },
    };
    const tell = (logs: LogConfig, stream: 'out' | 'err', text: string): void =>
      sink.log(logs, { source: logs.source, stream, text, at: clock.now() });
    let swept = false;
    const reconciler = new Reconciler({
      ...{ cell: facts, bbs, containers, convert: parts.convert, clock, now: () => clock.now(), log },
      refused: (desired, lrp, reason) => tell(logsOf(desired, lrp.index), 'err', reason),
      polling_ms: config.polling_interval,
      evacuation_polling_ms: config.evacuation_polling_interval,
      retry_ms: config.retry_interval,
      onPass: () => {
        if (swept) return;
        swept = true;
        parts.sweep?.().catch((err: unknown) => log.warn({ reason: messageOf(err) }, 'cell.sweep-failed'));
      },
      onReplacement: ({ reservation: { guid }, order }) => {
        if (order) tell(order.logs, 'out', `Cell ${config.cell_id} requesting replacement for instance ${guid}`);
      },
    });
    if (config.status_addr) {
      const metrics = createCellMetrics({
        ...{ containers, clock, logs: () => parts.logStats?.(), routes: () => routes?.stats() },
        ...{ pending: () => reconciler.pending, isEvacuating: () => reconciler.mode === 'evacuating' },
      });
      undo.push('metrics', () => metrics.close());
      const status = await serveStatus(config.status_addr, metrics);
      undo.push('status port', () => status.close());
    }
    const sampler = new Sampler({
      ...{ containers, sink, clock, log },
      interval_ms: config.container_metrics_report_interval,
    });

    const presence = new Presence({
      ...{ locket, clock, log, cell_id: config.cell_id },
      owner: await presenceOwner(join(config.home, 'presence.json')),
      value: () => presenceValue(facts, config.rep_address, containers.room().total),
      ttl_s: Math.ceil(config.locket.lock_ttl / 1_000),
      beat_ms: config.locket.heartbeat,
    });
    undo.push('presence', () => presence.close());
    await presence.acquire(signal);

    let evacuation: Promise<void> | undefined;
    let tellDrained: () => void = () => undefined;
    const drained = new Promise<void>((resolve) => (tellDrained = resolve));
    const leave = async (): Promise<void> => {
      const onTimeout = ({ reservation: { guid }, order }: ReturnType<Containers['list']>[number]): void => {
        if (order) tell(order.logs, 'err', `Cell ${config.cell_id} reached evacuation timeout for instance ${guid}`);
      };
      const timeouts = { timeout_ms: config.evacuation_timeout, grace_ms: GRACE_MS };
      await evacuate({ reconciler, containers, clock, log, onTimeout, ...timeouts }, ending.signal);
      await presence.release();
      tellDrained();
    };
    const face: Face = {
      ...{ facts, containers, log },
      isEvacuating: () => reconciler.mode === 'evacuating',
      evacuate: () => {
        evacuation ??= leave().catch((err: unknown) => {
          if (!ending.signal.aborted) log.error({ err }, 'cell.evacuation-failed');
        });
      },
      hint: (guid, trace) => reconciler.hint(guid, trace),
      newGuid: () => randomUUID().slice(0, HANDLE_LENGTH),
      samples: () => sampler.samples(),
    };
    const admin = await serve({ routes: ADMIN_ROUTES, face, tls: identity, ...config.admin_addr });
    undo.push('admin door', () => admin.close());
    const network = await serve({ routes: NETWORK_ROUTES, face, tls: identity, ...config.listen_addr });
    undo.push('network door', () => network.close());
    reconciler.start();
    undo.push('reconciler', () => reconciler.close());
    const sampling = sampler.run(ending.signal);
    undo.push('sampler', () => sampling);
    log.info({ cell_id: config.cell_id, rep_url: config.rep_url, containers: containers.list().length }, 'cell.ready');
    return { drained, close };
  } catch (err) {
    await close();
    throw err;
  }
}

function limited(bbs: Bbs): Bbs {
  const limit = limiter(BBS_CALLS);
  return { call: (call, request, options) => limit(() => bbs.call(call, request, options)), close: () => bbs.close() };
}

/** Where a user looks for the reason of an LRP that never got an order. */
function logsOf(desired: Messages['models.DesiredLRP'], index: number): LogConfig {
  const tags = Object.entries(desired.metric_tags).flatMap(([name, { static: value }]) =>
    value ? [[name, value]] : [],
  );
  const source = desired.log_source || 'CELL';
  return {
    guid: desired.log_guid,
    index,
    source,
    tags: Object.fromEntries(tags) as Record<string, string>,
    bytes_per_second: -1,
  };
}
