/** What users reach: the API, its tokens, log-cache, the stream of logs, and the page that shows what runs. One address has them all. */
import type { RequestListener } from 'node:http';
import { ccRoutes } from './cc/app.js';
import { ccApp } from './cc/http.js';
import type { CloudPart } from './cloud.js';
import type { DiegoPart } from './diego.js';
import { serveFront, type Front } from './front.js';
import { LOOPBACK, type Ground } from './ground.js';
import { logAccess } from './log-access.js';
import { createGateway, createLogStream } from './logcache/index.js';
import type { LogsPart } from './logs.js';
import type { LocalCfOptions } from './options.js';
import { pageApp } from './page/app.js';
import { platformSource } from './page/platform.js';
import { uaaApp } from './uaa/app.js';
import type { Undo } from '../core/undo.js';

interface Beside {
  undo: Undo;
  cloud: CloudPart;
  diego: DiegoPart;
  logs: LogsPart;
  router_url: string;
}

export async function openDoors(options: LocalCfOptions, ground: Ground, beside: Beside): Promise<Front> {
  const { config, clock, log, env } = options;
  const { undo, diego, logs, router_url } = beside;
  const { cc, uaa } = beside.cloud;
  const { store, tls, outer, ports, cells, api_url } = ground;
  const source = platformSource({
    ...{ cc, bbs: diego.bbs, logs: logs.store, onLine: logs.onLine, clock, router_url, tls },
    admin: (cell_id) => (cells.includes(cell_id) ? `${LOOPBACK}:${ports[`${cell_id}.admin`] ?? 0}` : undefined),
  });
  undo.push('page', () => source.close());
  const page = pageApp({
    ...{ source, stack: config.stacks[0] ?? 'unik', log: log.child({ part: 'page' }) },
    owners: /^\d+$/.test(env['SUDO_UID'] ?? '') ? [Number(env['SUDO_UID'])] : [],
  });
  const mayRead = logAccess(store, cc.authenticate);
  const front = await serveFront({
    ...{ host: config.api.host, port: outer['api'] ?? 0 },
    parts: {
      api: ccApp(cc, ccRoutes(cc)) as RequestListener,
      uaa: uaaApp({ uaa, url: api_url, log }) as RequestListener,
      log_cache: createGateway({ store: logs.store, clock, mayRead }),
      log_stream: createLogStream({ listen: logs.onEnvelopes, mayRead }),
      page,
    },
  });
  undo.push('api', () => front.close());
  return front;
}
