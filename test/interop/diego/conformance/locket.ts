import { expect } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import type { Case } from './case.js';

const PRESENCE = { type: 'presence', type_code: 'PRESENCE' } as const;
const SCHEMA = 'locket handlers/handler.go';
const ROWS = 'locket db/lock_db.go';

/** gRPC's code and message of a refusal. */
async function status(call: Promise<unknown>): Promise<{ code: number; details: string } | 'accepted'> {
  try {
    await call;
    return 'accepted';
  } catch (err) {
    const { code, details } = err as { code: number; details: string };
    return { code, details };
  }
}

export const locketCases: Case[] = [
  {
    name: 'a key held by another owner collides; the same owner renews and its value is replaced',
    fact: `Lock upserts for the same owner, else ALREADY_EXISTS lock-collision (${ROWS})`,
    async steps(t) {
      const { locket } = t;
      const key = t.name('key');
      await locket.lock({ key, owner: 'a', value: 'one', ...PRESENCE }, 5n);
      const stranger = locket.lock({ key, owner: 'b', value: 'two', ...PRESENCE }, 5n);
      expect(await status(stranger)).toEqual({ code: 6, details: 'lock-collision' });
      await locket.lock({ key, owner: 'a', value: 'three', ...PRESENCE }, 5n);
      expect(await locket.fetch(key)).toMatchObject({ key, owner: 'a', value: 'three', ...PRESENCE });
    },
  },
  {
    name: 'a lock is gone once its time is over, and another owner may take it',
    fact: 'a row whose TTL passed without a renewal is deleted (locket expiration/lock_pick.go)',
    async steps(t) {
      const key = t.name('key');
      await t.locket.lock({ key, owner: 'a', value: '', ...PRESENCE }, 4n);
      expect(await status(t.locket.lock({ key, owner: 'b', value: '', ...PRESENCE }, 5n))).not.toBe('accepted');
      await t.until('the row ends', async () => (await status(t.locket.fetch(key))) !== 'accepted', 12_000);
      expect(await status(t.locket.fetch(key))).toEqual({ code: 5, details: 'resource-not-found' });
      await t.locket.lock({ key, owner: 'b', value: '', ...PRESENCE }, 5n);
    },
  },
  {
    name: 'a renewal moves the end of a lock',
    fact: 'the timer deletes only when modified_index is unchanged (locket expiration/lock_pick.go)',
    async steps(t) {
      const key = t.name('key');
      for (let beat = 0; beat < 4; beat++) {
        await t.locket.lock({ key, owner: 'a', value: String(beat), ...PRESENCE }, 5n);
        await delay(1_600);
      }
      expect(await t.locket.fetch(key)).toMatchObject({ value: '3' });
    },
  },
  {
    name: 'a release needs the owner; of an absent key it succeeds',
    fact: `Release by another owner is lock-collision, of nothing it is silent (${ROWS})`,
    async steps(t) {
      const key = t.name('key');
      await t.locket.release({ key, owner: 'a' });
      await t.locket.lock({ key, owner: 'a', value: '', ...PRESENCE }, 5n);
      expect(await status(t.locket.release({ key, owner: 'b' }))).toEqual({ code: 6, details: 'lock-collision' });
      await t.locket.release({ key, owner: 'a' });
      expect(await status(t.locket.fetch(key))).toEqual({ code: 5, details: 'resource-not-found' });
    },
  },
  ...[0n, -1n].map((ttl): Case => ({
    name: `a TTL of ${ttl} is refused`,
    fact: `ttl <= 0 is INVALID_ARGUMENT invalid-ttl (${SCHEMA})`,
    async steps(t) {
      const call = t.locket.lock({ key: t.name('key'), owner: 'a', value: '', ...PRESENCE }, ttl);
      expect(await status(call)).toEqual({ code: 3, details: 'invalid-ttl' });
    },
  })),
  {
    name: 'a lock without owner is refused',
    fact: `an empty owner is INVALID_ARGUMENT invalid-owner (${SCHEMA})`,
    async steps(t) {
      const call = t.locket.lock({ key: t.name('key'), owner: '', value: '', ...PRESENCE }, 5n);
      expect(await status(call)).toEqual({ code: 3, details: 'invalid-owner' });
    },
  },
  {
    name: 'the type code decides, the type text is ignored and stored as it should be',
    fact: `type_code UNKNOWN is NOT_FOUND invalid-type (${SCHEMA}, models/models.go)`,
    async steps(t) {
      const key = t.name('key');
      const bare = t.locket.lock({ key, owner: 'a', value: '', type: 'presence' }, 5n);
      expect(await status(bare)).toEqual({ code: 5, details: 'invalid-type' });
      expect(await status(t.locket.fetchAll({ type: 'presence' }))).toEqual({ code: 5, details: 'invalid-type' });
      await t.locket.lock({ key, owner: 'a', value: '', type: 'bogus', type_code: 'PRESENCE' }, 5n);
      expect(await t.locket.fetch(key)).toMatchObject({ type: 'presence', type_code: 'PRESENCE' });
    },
  },
  {
    name: 'locks and presences are listed apart',
    fact: 'FetchAll filters by type_code (locket db/lock_db.go FetchAll)',
    async steps(t) {
      const [lock, presence] = [t.name('lock'), t.name('presence')];
      await t.locket.lock({ key: lock, owner: 'a', value: '', type: 'lock', type_code: 'LOCK' }, 5n);
      await t.locket.lock({ key: presence, owner: 'a', value: 'not json', ...PRESENCE }, 5n);
      const keys = async (type_code: 'LOCK' | 'PRESENCE'): Promise<string[]> =>
        (await t.locket.fetchAll({ type_code })).map(({ key }) => key).filter((key) => key.includes(t.id));
      expect(await keys('LOCK')).toEqual([lock]);
      expect(await keys('PRESENCE')).toEqual([presence]);
    },
  },
  {
    name: 'a presence shows in the list of cells as its JSON says, and no longer once released',
    fact: 'cells/list.r1 decodes each presence anew, skipping what is no JSON (bbs serviceclient/service_client.go)',
    async steps(t) {
      const odd = t.name('odd');
      await t.locket.lock({ key: odd, owner: 'a', value: 'not json', ...PRESENCE }, 5n);
      const cell = await t.cell({ zone: 'z7', placement_tags: ['p'], optional_placement_tags: ['o'], memory_mb: 512 });
      const mine = async () => {
        const { cells } = await t.bbs.call('cells', undefined);
        return cells.filter(({ cell_id }) => cell_id.includes(t.id));
      };
      expect(await mine()).toEqual([
        {
          cell_id: cell.id,
          rep_address: 'http://127.0.0.1:1800',
          zone: 'z7',
          capacity: { memory_mb: 512, disk_mb: 8_192, containers: 100 },
          rootfs_providers: [
            { name: 'preloaded', properties: [t.stack] },
            { name: 'preloaded+layer', properties: [t.stack] },
          ],
          placement_tags: ['p'],
          optional_placement_tags: ['o'],
          rep_url: cell.url,
          annotations: {},
        },
      ]);
      await cell.withdraw();
      expect(await mine()).toEqual([]);
    },
  },
  {
    name: 'a cell whose beats end leaves the list when its TTL is over',
    fact: 'the TTL counts from the last Lock (locket expiration/lock_pick.go)',
    async steps(t) {
      const cell = await t.cell({ ttl_s: 2 });
      const there = async (): Promise<boolean> =>
        (await t.bbs.call('cells', undefined)).cells.some(({ cell_id }) => cell_id === cell.id);
      await delay(2_500);
      expect(await there()).toBe(true);
      cell.vanish();
      await t.until('the cell leaves', async () => !(await there()), 8_000);
    },
  },
];
