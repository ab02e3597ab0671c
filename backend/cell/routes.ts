/** The cell's own route emitter, where it has one: NATS, what routers are told, and what the BBS says of routes. */
import { readFile } from 'node:fs/promises';
import type { Clock } from '../../core/clock.js';
import { messageOf, UnikError } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import { readIdentity } from '../../core/tls.js';
import { RouteEmitter, type EmitterStats } from '../routes/emitter.js';
import { syncRoutes } from '../routes/sync.js';
import type { Bbs } from '../wire/bbs.js';
import { followInstances } from '../wire/bbs-events.js';
import { createNats } from '../wire/nats.js';
import type { CellConfig } from './config.js';
import type { Containers } from './containers.js';

export interface RoutesDeps {
  config: CellConfig;
  containers: Containers;
  bbs: Bbs;
  clock: Clock;
  log: Log;
}

export interface Routes {
  stats(): EmitterStats & { connected: boolean; connects: number };
  close(): Promise<void>;
}

/** Undefined: Diego's route-emitter does it. Does not wait for NATS. Throws config_invalid for a file that is none. */
export async function startRoutes({ config, containers, bbs, clock, log }: RoutesDeps): Promise<Routes | undefined> {
  const { emitter, nats, internal } = config.routes;
  if (emitter === 'external' || !nats) return undefined;
  const { servers, user, password_file } = nats;
  const wire = createNats({
    servers: servers.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`),
    ...{ user, password: password_file === undefined ? undefined : await readPassword(password_file) },
    tls: nats.tls === 'on' ? await readIdentity(config.identities.nats, 'routes.nats') : undefined,
    ...{ name: `unik cell ${config.cell_id}`, clock, log },
  });
  const routes = new RouteEmitter({ containers, wire, clock, log, internal, zone: config.zone });
  routes.start();
  const ending = new AbortController();
  const tls = await readIdentity(config.identities.bbs, 'bbs');
  const { cell_id, bbs: at, retry_interval: pause_ms } = config;
  const followed = { url: at.url, tls, cell_id, clock, log, pause_ms };
  const syncing = syncRoutes(
    {
      ...{ bbs, containers, clock, log },
      follow: (tell, onOpen, signal) => followInstances({ ...followed, onOpen }, tell, signal),
    },
    ending.signal,
  );
  return {
    stats: () => ({ ...routes.stats(), connected: wire.isConnected, connects: wire.connects }),
    close: async () => {
      ending.abort();
      await syncing;
      await routes.close();
      // The goodbyes of an evacuation are under way.
      await wire.close();
    },
  };
}

async function readPassword(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (err) {
    throw new UnikError('config_invalid', `routes.nats.password_file: ${messageOf(err)}`, { cause: err });
  }
}
