import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { FairQueue } from '../../../backend/logs/fair-queue.js';

interface Thing {
  key: string;
  n: number;
  size: number;
}

function make(max_count = 1_000, max_bytes = 1_000_000) {
  const dropped: string[] = [];
  const queue = new FairQueue<Thing>({
    max_count,
    max_bytes,
    sizeOf: ({ size }) => size,
    onDrop: ({ key, n }) => void dropped.push(`${key}${n}`),
  });
  return { queue, dropped };
}
const push = (queue: FairQueue<Thing>, key: string, thing: { n: number; size: number }): void =>
  queue.push(key, { key, ...thing });
const names = (taken: Thing[]): string[] => taken.map(({ key, n }) => `${key}${n}`);

test('a quiet source comes next, however much a loud one has waiting', () => {
  const { queue } = make();
  for (let n = 0; n < 500; n++) push(queue, 'loud', { n, size: 1 });
  push(queue, 'quiet', { n: 0, size: 1 });
  expect(names(queue.take(4, 1_000))).toEqual(['loud0', 'quiet0', 'loud1', 'loud2']);
  push(queue, 'quiet', { n: 1, size: 1 });
  expect(names(queue.take(3, 1_000))).toEqual(['loud3', 'quiet1', 'loud4']);
});

test('a batch ends where its bytes do, and has at least one', () => {
  const { queue } = make();
  for (let n = 0; n < 4; n++) push(queue, 'a', { n, size: 60 });
  expect(names(queue.take(10, 100))).toEqual(['a0']);
  expect(names(queue.take(10, 120))).toEqual(['a1', 'a2']);
  expect(names(queue.take(10, 1))).toEqual(['a3']);
  expect(queue).toMatchObject({ count: 0, bytes: 0 });
});

test('what does not fit is the oldest of whoever holds most', () => {
  const { queue, dropped } = make(4);
  push(queue, 'quiet', { n: 0, size: 1 });
  for (let n = 0; n < 6; n++) push(queue, 'loud', { n, size: 1 });
  expect(dropped).toEqual(['loud0', 'loud1', 'loud2']);
  push(queue, 'quiet', { n: 1, size: 1 });
  expect(dropped.at(-1)).toBe('loud3');
  expect(names(queue.take(9, 9)).sort()).toEqual(['loud4', 'loud5', 'quiet0', 'quiet1']);
});

test('a thing too big for the whole queue is dropped, and the queue goes on', () => {
  const { queue, dropped } = make(10, 100);
  push(queue, 'a', { n: 0, size: 101 });
  expect(dropped).toEqual(['a0']);
  push(queue, 'a', { n: 1, size: 1 });
  expect(names(queue.take(9, 9))).toEqual(['a1']);
});

test('nothing is lost but what is told, order within a source holds, and bounds hold', () => {
  const step = fc.oneof(
    fc.record({ push: fc.constantFrom('a', 'b', 'c'), size: fc.integer({ min: 1, max: 40 }) }),
    fc.record({ take: fc.integer({ min: 1, max: 6 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const { queue, dropped } = make(12, 200);
      const out: string[] = [];
      let n = 0;
      for (const one of steps) {
        if ('push' in one) push(queue, one.push, { n: n++, size: one.size });
        else out.push(...names(queue.take(one.take, 100)));
        expect(queue.count).toBeLessThanOrEqual(12);
        expect(queue.bytes).toBeLessThanOrEqual(200);
      }
      out.push(...names(queue.take(Infinity, Infinity)));
      expect([...out, ...dropped].map((name) => Number(name.slice(1))).sort((a, b) => a - b)).toEqual(
        Array.from({ length: n }, (_, i) => i),
      );
      for (const key of ['a', 'b', 'c']) {
        const order = out.filter((name) => name.startsWith(key)).map((name) => Number(name.slice(1)));
        expect(order).toEqual([...order].sort((a, b) => a - b));
      }
    }),
  );
});
