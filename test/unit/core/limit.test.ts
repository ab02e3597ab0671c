import { expect, test } from '@jest/globals';
import { limiter } from '../../../core/limit.js';

test('never more than so many at once, all in turn, failures included', async () => {
  const limit = limiter(3);
  let [running, most] = [0, 0];
  const order: number[] = [];
  const job = (n: number) => async (): Promise<number> => {
    order.push(n);
    most = Math.max(most, ++running);
    await new Promise((resolve) => setImmediate(resolve));
    running--;
    if (n % 4 === 0) throw new Error(String(n));
    return n;
  };
  const done = await Promise.allSettled(Array.from({ length: 20 }, (_, n) => limit(job(n))));
  expect(most).toBe(3);
  expect(order).toEqual(Array.from({ length: 20 }, (_, n) => n));
  expect(done.filter(({ status }) => status === 'rejected')).toHaveLength(5);
});
