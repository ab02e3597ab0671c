import { expect, test } from '@jest/globals';
import { KeyedQueue } from '../../../core/queue.js';

/** A job that ends when told. */
function gated(log: string[], name: string): { job: () => Promise<void>; open: () => void } {
  let open!: () => void;
  const gate = new Promise<void>((resolve) => (open = resolve));
  const job = async (): Promise<void> => {
    log.push(`${name} begins`);
    await gate;
    log.push(`${name} ends`);
  };
  return { job, open };
}

test('runs one job per key and keeps only the newest waiting one', async () => {
  const queue = new KeyedQueue();
  const log: string[] = [];
  const [a, b, c] = [gated(log, 'a'), gated(log, 'b'), gated(log, 'c')];
  const first = queue.push('k', a.job);
  const second = queue.push('k', b.job);
  const third = queue.push('k', c.job);
  for (const { open } of [a, b, c]) open();
  await Promise.all([first, second, third]);
  expect(log).toEqual(['a begins', 'a ends', 'c begins', 'c ends']);
  await queue.idle();
  expect(queue.size).toBe(0);
});

test('runs different keys side by side', async () => {
  const queue = new KeyedQueue();
  const log: string[] = [];
  const [a, b] = [gated(log, 'a'), gated(log, 'b')];
  const both = [queue.push('k', a.job), queue.push('l', b.job)];
  expect(log).toEqual(['a begins', 'b begins']);
  a.open();
  b.open();
  await Promise.all(both);
});

test('a failed job is told to its caller and does not hold up the next', async () => {
  const queue = new KeyedQueue();
  const failed = queue.push('k', () => Promise.reject(new Error('no')));
  const next = queue.push('k', async () => undefined);
  await expect(failed).rejects.toThrow('no');
  await next;
  await queue.idle();
});

test('work that is pushed while the last job ends is run', async () => {
  const queue = new KeyedQueue();
  let runs = 0;
  const again = async (): Promise<void> => {
    if (++runs < 5) void queue.push('k', again);
  };
  await queue.push('k', again);
  await queue.idle();
  expect(runs).toBe(5);
});
