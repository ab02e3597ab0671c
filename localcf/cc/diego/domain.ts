import type { Bbs } from '../../../backend/wire/bbs.js';

/** Seconds for which the BBS takes a domain for fresh: it removes nothing of one that is not. */
const TTL_S = 120;

/** All of the domain was just compared. */
export async function freshen(bbs: Bbs, domain: string, signal: AbortSignal): Promise<void> {
  await bbs.call('upsert_domain', { domain, ttl: TTL_S }, { signal });
}
