import { describe, expect, test } from '@jest/globals';
import { presencesOf } from '../../../../localcf/locket/presences.js';
import { LockTable, type LockChange, type Resource } from '../../../../localcf/locket/table.js';

const aResource = (members: Partial<Resource> = {}): Resource => ({
  ...{ key: 'cell-a', owner: 'me', value: 'v', type: '', type_code: 'PRESENCE' },
  ...members,
});

function aTable(): { table: LockTable; changes: LockChange[]; later: (ms: number) => void } {
  let now = 0;
  const changes: LockChange[] = [];
  const table = new LockTable(
    () => now,
    (change) => changes.push(change),
  );
  return { table, changes, later: (ms) => (now += ms) };
}

const lock = (table: LockTable, members: Partial<Resource> = {}, ttl_in_seconds = 15n): string =>
  table.lock({ resource: aResource(members), ttl_in_seconds })?.message ?? 'held';

describe('locks (locket handlers/handler.go)', () => {
  test.each<[message: string, members: Partial<Resource>, ttl: bigint]>([
    ['held', {}, 15n],
    ['held', { key: '' }, 15n],
    ['held', { type: 'bogus' }, 15n],
    ['invalid-ttl', {}, 0n],
    ['invalid-ttl', {}, -1n],
    ['invalid-owner', { owner: '' }, 15n],
    ['invalid-type', { type: 'presence', type_code: 'UNKNOWN' }, 15n],
  ])('%s for %j', (message, members, ttl) => {
    expect(lock(aTable().table, members, ttl)).toBe(message);
  });

  test('another owner collides until the time to live is over', () => {
    const { table, later } = aTable();
    lock(table);
    expect(lock(table, { owner: 'other' })).toBe('lock-collision');
    later(14_999);
    expect(lock(table, { owner: 'other' })).toBe('lock-collision');
    later(1);
    expect(lock(table, { owner: 'other' })).toBe('held');
  });

  test('a heartbeat keeps it, and may change its value', () => {
    const { table, later, changes } = aTable();
    lock(table);
    later(10_000);
    lock(table);
    expect(changes).toHaveLength(1);
    lock(table, { value: 'new' });
    expect(changes).toHaveLength(2);
    later(14_000);
    expect(table.fetch('cell-a')).toEqual(aResource({ value: 'new', type: 'presence' }));
  });

  test('release: by its owner, or of nothing', () => {
    const { table } = aTable();
    expect(table.release({ key: 'cell-a', owner: 'me' })).toBeUndefined();
    lock(table);
    expect(table.release({ key: 'cell-a', owner: 'other' })?.message).toBe('lock-collision');
    expect(table.release({ key: 'cell-a', owner: 'me' })).toBeUndefined();
    expect(table.fetch('cell-a')).toMatchObject({ message: 'resource-not-found' });
  });

  test('fetch all: of one type', () => {
    const { table } = aTable();
    lock(table);
    lock(table, { key: 'bbs', type_code: 'LOCK' });
    expect(table.fetchAll('LOCK')).toMatchObject([{ key: 'bbs', type: 'lock' }]);
    expect(table.fetchAll('UNKNOWN')).toMatchObject({ message: 'invalid-type' });
  });

  test('what is restored lives for its whole time', () => {
    const first = aTable();
    lock(first.table);
    const second = aTable();
    for (const change of first.table.rows()) second.table.restore(change);
    second.later(14_999);
    expect(lock(second.table, { owner: 'other' })).toBe('lock-collision');
  });
});

describe('presences', () => {
  test('what is none is left out, and the id is that of the value', () => {
    const { table } = aTable();
    const value = { cell_id: 'cell-x', rep_url: 'https://x', rootfs_provider_list: [{ name: 'docker' }] };
    lock(table, { key: 'a', value: JSON.stringify(value) });
    lock(table, { key: 'b', value: 'no json' });
    lock(table, { key: 'c', value: '{}' });
    lock(table, { key: 'd', value: JSON.stringify({ cell_id: 'lock' }), type_code: 'LOCK' });
    const cells = presencesOf(table);
    expect([...cells.keys()]).toEqual(['cell-x']);
    expect(cells.get('cell-x')).toMatchObject({
      rep_url: 'https://x',
      rootfs_providers: [{ name: 'docker', properties: [] }],
    });
  });
});
