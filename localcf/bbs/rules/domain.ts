/** Domains: whose desired LRPs are known to be whole, so that what they do not name may be stopped. */
import type { Draft } from '../draft.js';

export function upsertDomain(draft: Draft, domain: string, ttl_s: number): void {
  draft.putDomain(domain, draft.policy.domainExpiry(draft.around.now_ms, ttl_s));
}

export function freshDomains({ state, around }: Draft): string[] {
  return [...state.domains].filter(([, expires_at]) => expires_at > around.now_ms).map(([domain]) => domain);
}

export function pruneDomains(draft: Draft): void {
  for (const [domain, expires_at] of [...draft.state.domains]) {
    if (expires_at <= draft.around.now_ms) draft.dropDomain(domain);
  }
}
