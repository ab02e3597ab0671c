/** Cloud Foundry on one machine: makes its parts in order and joins them. */
import { totalmem } from 'node:os';
import { Undo } from '../core/undo.js';
import type { Store } from './cc/store.js';
import { cellConfig } from './cell-config.js';
import { startCells, type Cells } from './cells.js';
import { openCloud } from './cloud.js';
import { openDiego, type DiegoPart } from './diego.js';
import { openDoors } from './doors.js';
import { emptyDiego } from './empty.js';
import { openGround, type Ground } from './ground.js';
import { accessEnvelope, openLogs, type LogsPart } from './logs.js';
import type { LocalCfOptions } from './options.js';
import { openRouting, type RoutingPart } from './routing.js';
import type { AdminSecrets } from './uaa/seed.js';

export interface LocalCf {
  api_url: string;
  router_url: string;
  admin: AdminSecrets;
  store: Store;
  /** Ends all machines and cells; apps stay what they are and run again at the next start. Then as `close`. */
  drain(): Promise<void>;
  /** Ends our part: machines and cells stay. */
  close(): Promise<void>;
}

/** Machines have 10 s to end, and much of that at once makes a small machine slow. */
const DRAIN_MS = 60_000;

/** What fails leaves nothing behind that was not there before. */
export async function startLocalCf(options: LocalCfOptions): Promise<LocalCf> {
  const undo = new Undo();
  try {
    return await joined(options, undo);
  } catch (err) {
    await undo.unwind(options.log);
    throw err;
  }
}

async function joined(options: LocalCfOptions, undo: Undo): Promise<LocalCf> {
  const { config, clock, log } = options;
  let isUp = false;
  const ground = await openGround(options, undo);
  const diego = await openDiego(options, ground, undo);
  const logs = await openLogs(options, ground, undo);
  const access = (record: Parameters<typeof accessEnvelope>[0]): void => logs.store.put([accessEnvelope(record)]);
  const routing = await openRouting(options, ground, { undo, access });
  const empty = async (): Promise<void> => {
    if (!config.diego) await emptyDiego(diego.bbs, clock, DRAIN_MS);
  };

  // Before anything is placed: what finds no cell waits for the next convergence.
  const cells = await startOwnCells(options, ground, { diego, logs, routing });
  undo.push('cells', async () => {
    if (isUp) return cells.close();
    if (ground.living.size === 0) await empty();
    await cells.abandon(DRAIN_MS);
  });
  const cloud = await openCloud(options, ground, { undo, diego, logs });
  const front = await openDoors(options, ground, { undo, cloud, diego, logs, router_url: routing.router_url });
  isUp = true;

  let ended: Promise<void> | undefined;
  const close = (): Promise<void> => (ended ??= undo.unwind(log));
  return {
    ...{ api_url: ground.api_url, router_url: routing.router_url, admin: cloud.admin, store: ground.store, close },
    async drain() {
      await front.close();
      await cloud.cc.diego.close();
      await empty();
      await cells.drain(DRAIN_MS);
      await close();
    },
  };
}

interface Around {
  diego: DiegoPart;
  logs: LogsPart;
  routing: RoutingPart;
}

function startOwnCells(options: LocalCfOptions, ground: Ground, { diego, logs, routing }: Around): Promise<Cells> {
  const { config, command, env, clock, log } = options;
  const { ports, files, tls, cells, cells_folder } = ground;
  const memory_mb = Math.max(512, Math.floor((totalmem() / 2 ** 20 - 1_024) / Math.max(1, config.cells)));
  const facts = {
    ...{ ports, files, stacks: config.stacks, memory_mb, nats: routing.nats, log_level: config.log_level },
    ...{ bbs_url: diego.bbs_url, locket_address: diego.locket_address },
    ...{ agent: logs.agent, agent_files: config.logs?.tls, over: config.cell },
  };
  const configs = new Map(cells.map((name) => [name, cellConfig({ name, ...facts })]));
  return startCells({ folder: cells_folder, configs, command, env, tls, clock, log });
}
