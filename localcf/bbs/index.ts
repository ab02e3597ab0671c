/** BBS, Locket and auctioneer in one process, for one machine: the same wires as Diego's own. */
import { join } from 'node:path';
import type { Identity } from '../../backend/wire/bbs.js';
import { systemClock, type Clock } from '../../core/clock.js';
import { noLog, type Log } from '../../core/log.js';
import { repeat } from '../../core/retry.js';
import { createAuctioneer } from '../auction/auctioneer.js';
import { createCellClient } from '../auction/cell-client.js';
import { DIEGO_AUCTION, type AuctionPolicy, type Item } from '../auction/place.js';
import { auctionHandler } from '../auction/server.js';
import { listenHttps } from '../https.js';
import { presencesOf } from '../locket/presences.js';
import { serveLocket } from '../locket/server.js';
import { LOCKET, type TablePolicy } from '../locket/table.js';
import { createCallbacks } from './callback.js';
import { Engine } from './engine.js';
import { Hub } from './hub.js';
import { createPerform } from './perform.js';
import { Refusal } from './model.js';
import { fail } from './rules/actual-lrp.js';
import { convergeLrps } from './rules/convergence.js';
import { DIEGO, type Policy } from './rules/policy.js';
import { rejectTask } from './rules/task.js';
import { convergeTasks } from './rules/task-convergence.js';
import { bbsHandler } from './server.js';
import { openStore } from './store.js';

export { DIEGO, type Policy } from './rules/policy.js';
export { DIEGO_AUCTION, type AuctionPolicy } from '../auction/place.js';
export { LOCKET, type TablePolicy } from '../locket/table.js';

export interface EmbeddedOptions {
  /** Folder for journal and snapshots; undefined: nothing is kept. */
  home?: string | undefined;
  /** Of the servers, and as client of the cells and callbacks. */
  tls: Identity;
  host?: string;
  /** 0 or absent: any free one. */
  ports?: { bbs?: number; locket?: number; auctioneer?: number };
  /** Milliseconds, as all that follow; Diego's own values are the defaults. */
  converge_ms?: number;
  kick_task_ms?: number;
  expire_pending_task_ms?: number;
  expire_completed_task_ms?: number;
  cell_state_ms?: number;
  communication_ms?: number;
  /** How long an auction waits for slow cells once others have answered. */
  patience_ms?: number;
  /** Bytes after which the journal is replaced by a snapshot. */
  rotate_bytes?: number;
  policy?: Partial<Policy>;
  auction?: Partial<AuctionPolicy>;
  locket?: Partial<TablePolicy>;
  clock?: Clock;
  log?: Log;
}

export interface Embedded {
  /** `https://host:port`. */
  bbs_url: string;
  /** `host:port`. */
  locket_address: string;
  auctioneer_url: string;
  /** One convergence now, beside those of the period. */
  converge(): Promise<void>;
  /** Ends all three servers; may be called again. */
  close(): Promise<void>;
}

export async function createEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  const { home, tls, host = '127.0.0.1', ports = {}, clock = systemClock, log = noLog } = options;
  const { converge_ms = 30_000, communication_ms = 10_000, cell_state_ms = 10_000, patience_ms = 2_000 } = options;
  const times = {
    kick_task_ms: options.kick_task_ms ?? 30_000,
    expire_pending_task_ms: options.expire_pending_task_ms ?? 30 * 60_000,
    expire_completed_task_ms: options.expire_completed_task_ms ?? 120_000,
  };
  const policy: Policy = { ...DIEGO, ...options.policy };
  const stopping = new AbortController();
  const { state, table, journal } = await openStore({
    folder: home === undefined ? undefined : join(home, 'bbs'),
    clock,
    locket: { ...LOCKET, ...options.locket },
    rotate_bytes: options.rotate_bytes,
  });

  const cells = () => presencesOf(table);
  const client = createCellClient(tls, { state_ms: cell_state_ms, call_ms: communication_ms });
  const callbacks = createCallbacks(tls, policy, communication_ms);
  const hub = new Hub();
  const failed = async (item: Item, error: string, trace: string): Promise<void> => {
    try {
      await engine.run(trace, (draft) =>
        item.kind === 'lrp'
          ? fail(draft, { process_guid: item.process_guid, index: item.index, domain: item.domain }, error)
          : rejectTask(draft, item.task.TaskGuid, error),
      );
    } catch (err) {
      // It was started, stopped or deleted meanwhile.
      if (!(err instanceof Refusal)) throw err;
      log.debug({ reason: err.message }, 'auction.failure-overtaken');
    }
  };
  const auctioneer = createAuctioneer({
    ...{ cells, client, failed, clock, log, patience_ms },
    policy: { ...DIEGO_AUCTION, ...options.auction },
  });
  const perform = createPerform({
    ...{ auctioneer, cells: client, callbacks, policy, log },
    run: (trace, work) => engine.run(trace, work),
  });
  const engine = new Engine({ state, journal, hub, policy, clock, log, cells, perform });

  const handle = bbsHandler({ engine, hub, log, ready: () => !stopping.signal.aborted });
  const locket = await serveLocket({ table, settled: () => journal.settled(), tls, host, port: ports.locket ?? 0 });
  const auction = await listenHttps({
    tls,
    host,
    port: ports.auctioneer ?? 0,
    handle: auctionHandler(auctioneer, log),
  });
  const bbs = await listenHttps({ tls, host, port: ports.bbs ?? 0, handle });

  async function converge(): Promise<void> {
    await engine.run('', (draft) => {
      convergeTasks(draft, times);
      convergeLrps(draft);
    });
  }

  const looping = repeat({ clock, every_ms: converge_ms, signal: stopping.signal }, () =>
    converge().catch((err: unknown) => log.error({ err }, 'bbs.convergence-failed')),
  );

  async function end(): Promise<void> {
    stopping.abort();
    await looping;
    locket.close();
    await Promise.all([bbs.close(), auction.close(), auctioneer.close()]);
    await Promise.all([client.close(), callbacks.close()]);
    await engine.idle();
    await journal.settled();
    await journal.close();
  }
  let ended: Promise<void> | undefined;

  return {
    bbs_url: bbs.url,
    locket_address: locket.address,
    auctioneer_url: auction.url,
    converge,
    close: () => (ended ??= end()),
  };
}

/** `job` again and again, each `ms` after the end of the one before, until the signal. */
