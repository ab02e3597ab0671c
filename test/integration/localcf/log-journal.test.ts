/** Lines outlive the process that took them. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { appendFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Envelope } from '../../../backend/wire/loggregator.js';
import { systemClock } from '../../../core/clock.js';
import { noLog } from '../../../core/log.js';
import { keptStore } from '../../../localcf/logcache/journal.js';
import { createStore } from '../../../localcf/logcache/store.js';

let folder: string;
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'unik-lines-')), 'lines');
});
afterEach(() => rm(join(folder, '..'), { recursive: true, force: true }));

const open = (file_bytes?: number) =>
  keptStore(createStore(), {
    ...{ folder, clock: systemClock, log: noLog, pause_ms: 1 },
    ...(file_bytes === undefined ? {} : { file_bytes }),
  });

const about = (n: number) => ({
  timestamp: BigInt(n),
  ...{ source_id: 'app', instance_id: '0', deprecated_tags: {}, tags: { source_type: 'APP/PROC/WEB' } },
});
const line = (n: number): Envelope => ({ ...about(n), log: { payload: Buffer.from(`line ${n} ✓`), type: 'ERR' } });
const gauge = (n: number): Envelope => ({ ...about(n), gauge: { metrics: { cpu: { unit: '%', value: 1 } } } });

function linesOf(store: Awaited<ReturnType<typeof open>>): string[] {
  const query = { start_time: 0n, end_time: 1n << 62n, limit: 10_000, types: [], descending: false };
  return store.read('app', query).map(({ log, tags, timestamp }) => {
    expect(log?.type).toBe('ERR');
    expect(tags).toEqual({ source_type: 'APP/PROC/WEB' });
    return `${timestamp}: ${Buffer.from(log?.payload ?? []).toString()}`;
  });
}

test('lines are there again, metrics are not', async () => {
  const first = await open();
  first.put([line(1), gauge(2), line(3)]);
  first.put([gauge(4)]);
  await first.close();
  const second = await open();
  expect(linesOf(second)).toEqual(['1: line 1 ✓', '3: line 3 ✓']);
  second.put([line(5)]);
  await second.close();
  const third = await open();
  expect(linesOf(third)).toEqual(['1: line 1 ✓', '3: line 3 ✓', '5: line 5 ✓']);
  await third.close();
  expect((await stat(join(folder, 'newer'))).mode & 0o777).toBe(0o600);
});

test('the oldest go: two files, none much larger than its bound', async () => {
  const bound = 2_000;
  const first = await open(bound);
  for (let n = 1; n <= 200; n++) {
    first.put([line(n)]);
    if (n % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 3));
  }
  await first.close();
  expect((await readdir(folder)).sort()).toEqual(['newer', 'older']);
  for (const name of ['newer', 'older']) expect((await stat(join(folder, name))).size).toBeLessThan(bound + 1_000);
  const second = await open(bound);
  const kept = linesOf(second);
  await second.close();
  expect(kept.at(-1)).toBe('200: line 200 ✓');
  expect(kept.length).toBeGreaterThan(10);
  expect(kept.length).toBeLessThan(100);
});

test.each<[what: string, spoil: (file: string) => Promise<void>]>([
  ['half a length', (file) => appendFile(file, Buffer.from([0, 0]))],
  ['half a record', (file) => appendFile(file, Buffer.from([0, 0, 1, 0, 1, 2, 3]))],
  ['a record that is none', (file) => appendFile(file, Buffer.from([0, 0, 0, 2, 255, 255]))],
  [
    'a length beyond all bounds',
    async (file) => writeFile(file, Buffer.concat([await readFile(file), Buffer.alloc(9, 255)])),
  ],
])('%s at the end costs nothing that was whole, nor what follows', async (_what, spoil) => {
  const first = await open();
  first.put([line(1)]);
  await first.close();
  await spoil(join(folder, 'newer'));
  const second = await open();
  second.put([line(2)]);
  await second.close();
  const third = await open();
  expect(linesOf(third)).toEqual(['1: line 1 ✓', '2: line 2 ✓']);
  await third.close();
});
