import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Envelope } from '../../../../backend/wire/loggregator.js';
import { createStore, type ReadQuery } from '../../../../localcf/logcache/store.js';

const log = (timestamp: bigint, text = String(timestamp), source_id = 'app'): Envelope => ({
  timestamp,
  source_id,
  instance_id: '0',
  deprecated_tags: {},
  tags: {},
  log: { payload: Buffer.from(text), type: 'OUT' },
});
const all: ReadQuery = { start_time: 0n, end_time: 2n ** 62n, limit: 1_000, types: [], descending: false };
const texts = (found: Envelope[]): string[] => found.map((one) => Buffer.from(one.log?.payload ?? []).toString());

test('envelopes are read in order of time, whatever the order they came in; of one time as they came', () => {
  const store = createStore();
  store.put([log(30n), log(10n), log(20n, 'first'), log(20n, 'second')]);
  expect(texts(store.read('app', all))).toEqual(['10', 'first', 'second', '30']);
  expect(texts(store.read('app', { ...all, descending: true, limit: 2 }))).toEqual(['30', 'second']);
});

test('the newest stay, and what went is counted', () => {
  const store = createStore({ max_per_source: 3 });
  store.put([1n, 2n, 3n, 4n, 5n].map((at) => log(at)));
  store.put([log(9n, 'x', 'other')]);
  expect(texts(store.read('app', all))).toEqual(['3', '4', '5']);
  expect(store.meta().get('app')).toEqual({ count: 3, expired: 2, oldest_timestamp: 3n, newest_timestamp: 5n });
  expect(store.meta().get('other')).toMatchObject({ count: 1, expired: 0 });
});

test('beyond the bytes of all sources the oldest goes, whose ever it is', () => {
  const store = createStore({ max_bytes: 5_000 });
  store.put([log(1n, 'x'.repeat(1_000), 'old'), log(2n, 'y'.repeat(1_000), 'new'), log(3n, 'z'.repeat(1_000), 'new')]);
  store.put([log(4n, 'w'.repeat(1_000), 'new')]);
  expect(store.read('old', all)).toEqual([]);
  expect([...store.meta().keys()]).toEqual(['new']);
  expect(texts(store.read('new', all)).map((text) => text[0])).toEqual(['y', 'z', 'w']);
});

test('thousands come and go, and the last of them are read', () => {
  const store = createStore({ max_per_source: 1_000 });
  for (let at = 0n; at < 20_000n; at++) store.put([log(at)]);
  expect(texts(store.read('app', all))).toEqual(Array.from({ length: 1_000 }, (_, i) => String(19_000 + i)));
});

test('a window reads what a plain filter would', () => {
  const times = fc.array(fc.bigInt({ min: 0n, max: 50n }), { maxLength: 40 });
  const bound = fc.bigInt({ min: 0n, max: 60n });
  fc.assert(
    fc.property(times, bound, bound, fc.integer({ min: 1, max: 9 }), (put, start_time, end_time, limit) => {
      const store = createStore();
      store.put(put.map((at) => log(at)));
      const expected = put
        .toSorted((a, b) => Number(a - b))
        .filter((at) => at >= start_time && at < end_time)
        .map(String);
      expect(texts(store.read('app', { ...all, start_time, end_time, limit }))).toEqual(expected.slice(0, limit));
    }),
  );
});
