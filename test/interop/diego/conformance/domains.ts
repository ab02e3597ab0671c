import { expect } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import type { Bench } from './bench.js';
import type { Case } from './case.js';

const SOURCE = 'bbs db/sqldb/domain_db.go';

const fresh = async (t: Bench): Promise<boolean> => (await t.bbs.call('domains', undefined)).domains.includes(t.domain);

export const domainCases: Case[] = [
  {
    name: 'a domain is fresh for its time, and no longer',
    fact: `expire_time = now + ttl (${SOURCE})`,
    async steps(t) {
      expect(await fresh(t)).toBe(false);
      await t.bbs.call('upsert_domain', { domain: t.domain, ttl: 2 });
      expect(await fresh(t)).toBe(true);
      await t.until('the domain goes stale', async () => !(await fresh(t)), 5_000);
    },
  },
  {
    name: 'a domain with time 0 stays fresh',
    fact: `ttl 0 never expires (${SOURCE})`,
    async steps(t) {
      await t.bbs.call('upsert_domain', { domain: t.domain, ttl: 1 });
      await t.bbs.call('upsert_domain', { domain: t.domain, ttl: 0 });
      await delay(2_200);
      expect(await fresh(t)).toBe(true);
    },
  },
  {
    name: 'freshness is renewed by each upsert',
    fact: `an upsert replaces expire_time (${SOURCE})`,
    async steps(t) {
      for (let times = 0; times < 4; times++) {
        await t.bbs.call('upsert_domain', { domain: t.domain, ttl: 2 });
        await delay(800);
      }
      expect(await fresh(t)).toBe(true);
    },
  },
  {
    name: 'a domain without name is refused',
    fact: 'Invalid field: domain (bbs models/domain.go)',
    async steps(t) {
      expect(await t.refusal(t.bbs.call('upsert_domain', { domain: '', ttl: 1 }))).toEqual({
        type: 'InvalidRequest',
        message: 'Invalid field: domain',
      });
    },
  },
];
