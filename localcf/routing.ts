/** How requests find machines: cells register routes over NATS, with a router of this process or with another's. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Undo } from '../core/undo.js';
import { LOOPBACK, openSecret, type Ground } from './ground.js';
import { startLocalNats } from './nats/index.js';
import type { LocalCfOptions } from './options.js';
import { feedRouter } from './router/feed.js';
import { startRouter, type AccessRecord } from './router/index.js';

export interface RoutingPart {
  router_url: string;
  /** What a cell is told: `routes.nats` of its configuration. */
  nats: object;
}

const USER = 'cell';

export async function openRouting(
  { home, config, clock, log }: LocalCfOptions,
  { outer, ports }: Ground,
  { undo, access }: { undo: Undo; access: (record: AccessRecord) => void },
): Promise<RoutingPart> {
  if (config.nats) return { router_url: `http://${config.router.host}:${outer['router'] ?? 0}`, nats: config.nats };
  const password_file = join(home, 'nats-password');
  const password = (await openSecret(password_file, () => randomBytes(24).toString('hex'))).toString();
  const nats = await startLocalNats({
    ...{ host: LOOPBACK, port: ports['nats'] ?? 0, user: USER, password, log: log.child({ part: 'nats' }) },
  });
  undo.push('nats', () => nats.close());
  const router = await startRouter({
    ...{ ...config.router, port: outer['router'] ?? 0, clock, log: log.child({ part: 'router' }), access },
  });
  undo.push('router', () => router.close());
  undo.push('route feed', feedRouter(router, nats.wire, log));
  return { router_url: router.url, nats: { servers: [nats.address], user: USER, password_file, tls: 'off' } };
}
