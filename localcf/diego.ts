/** The Diego that places all work: one of this process, or another's. */
import { join } from 'node:path';
import { createBbs, type Bbs } from '../backend/wire/bbs.js';
import type { Undo } from '../core/undo.js';
import { createEmbedded } from './bbs/index.js';
import type { Ground } from './ground.js';
import type { LocalCfOptions } from './options.js';

export interface DiegoPart {
  bbs: Bbs;
  bbs_url: string;
  locket_address: string;
}

/** Diego's half minute is for hundreds of cells. */
const CONVERGE_MS = 5_000;

export async function openDiego(
  { home, config, clock, log }: LocalCfOptions,
  { tls, ports }: Ground,
  undo: Undo,
): Promise<DiegoPart> {
  let at: Omit<DiegoPart, 'bbs'> | undefined = config.diego;
  if (!at) {
    const embedded = await createEmbedded({
      ...{ home: join(home, 'diego'), tls, clock, log: log.child({ part: 'diego' }), converge_ms: CONVERGE_MS },
      ports: { bbs: ports['bbs'] ?? 0, locket: ports['locket'] ?? 0, auctioneer: ports['auctioneer'] ?? 0 },
    });
    undo.push('diego', () => embedded.close());
    at = embedded;
  }
  const { bbs_url, locket_address } = at;
  const bbs = createBbs({ url: bbs_url, tls, clock, timeout_ms: 10_000 });
  undo.push('bbs client', () => bbs.close());
  return { bbs, bbs_url, locket_address };
}
