import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { appendFile, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../../core/clock.js';
import { noLog } from '../../../../core/log.js';
import { openLogs, type LogHold, type Logs } from '../../../../executor/console/logs.js';
import type { LogQuery } from '../../../../executor/executor.js';
import type { LogLine } from '../../../../executor/model.js';
import { never } from '../../../support/executor.js';

let root: string;
let logs: Logs;
const open = (file_bytes = 1_000_000): Logs =>
  openLogs(root, { file_bytes, files: 2, batch_ms: 1 }, systemClock, noLog);

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'unik-logs-'));
  logs = open();
});
afterEach(() => rm(root, { recursive: true }));

/** Says `from` to `to`, each as one line of standard output. */
async function say(hold: LogHold, key: string, from: number, to: number): Promise<void> {
  for (let n = from; n <= to; n++) {
    await hold.file.append(key, [{ at: n, stream: 'stdout', text: `line ${n}`, end: n * 10 }]);
    if (n % 10 === 0) await hold.file.flush();
  }
  await hold.file.flush();
}

async function texts(lines: AsyncIterable<LogLine>): Promise<string[]> {
  const found: string[] = [];
  for await (const line of lines) found.push(line.text);
  return found;
}
const read = (query: LogQuery = {}): Promise<string[]> => texts(logs.read('log', query, never()));
const numbered = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, n) => `line ${from + n}`);

test('gives all, the tail, what is since, and one stream', async () => {
  const hold = await logs.hold('log', 'k');
  await say(hold, 'k', 1, 5);
  await hold.file.append('k', [{ at: 6, stream: 'stderr', text: 'oops', end: 5 }]);
  expect(await read()).toEqual([...numbered(1, 5), 'oops']);
  expect(await read({ tail: 2 })).toEqual(['line 5', 'oops']);
  expect(await read({ tail: 0 })).toEqual([]);
  expect(await read({ since: 4 })).toEqual(['line 4', 'line 5', 'oops']);
  expect(await read({ streams: ['stderr'], tail: 9 })).toEqual(['oops']);
  await hold.release();
});

test('a follower gets past and new lines once and ends when the last writer has gone', async () => {
  const [one, two] = [await logs.hold('log', 'a'), await logs.hold('log', 'b')];
  await say(one, 'a', 1, 3);
  const follower = logs.read('log', { follow: true, tail: 2 }, never())[Symbol.asyncIterator]();
  expect(await follower.next()).toMatchObject({ value: { text: 'line 2' } });
  const followed = texts({ [Symbol.asyncIterator]: () => follower });
  await say(one, 'a', 4, 50);
  await one.release();
  await say(two, 'b', 51, 60);
  await two.release();
  expect(await followed).toEqual(numbered(3, 60));
  expect(await read({ follow: true })).toEqual(numbered(1, 60));
});

test('a follower ends by its signal', async () => {
  const hold = await logs.hold('log', 'k');
  const enough = new AbortController();
  const followed = texts(logs.read('log', { follow: true }, enough.signal));
  enough.abort(new Error('enough'));
  await expect(followed).rejects.toThrow('enough');
  await hold.release();
});

test('the disk stays bounded, and a follower left behind is told how much it missed', async () => {
  logs = open(2_000);
  const hold = await logs.hold('log', 'k');
  await say(hold, 'k', 1, 3);
  const follower = logs.read('log', { follow: true }, never())[Symbol.asyncIterator]();
  expect(await follower.next()).toMatchObject({ value: { text: 'line 1' } });
  await say(hold, 'k', 4, 300);
  const files = await readdir(join(root, 'log'));
  expect(files).toHaveLength(2);
  for (const file of files) expect((await stat(join(root, 'log', file))).size).toBeLessThan(3_000);
  await hold.release();

  const rest: string[] = [];
  for (let next = await follower.next(); !next.done; next = await follower.next()) rest.push(next.value.text);
  const missed = rest.findIndex((text) => text.includes('dropped'));
  const count = Number(/unik: (\d+) lines dropped/.exec(rest[missed] ?? '')?.[1]);
  expect(count).toBeGreaterThan(0);
  expect(rest.slice(missed + 1)).toEqual(numbered(missed + 2 + count, 300));
});

test('after a crash it goes on where whole lines end, also when the last file is new', async () => {
  logs = open(500);
  const hold = await logs.hold('log', 'k');
  await hold.file.append('k', [{ at: 0, stream: 'stderr', text: 'early', end: 7 }]);
  await say(hold, 'k', 1, 40);
  const newest = (await readdir(join(root, 'log'))).sort().at(-1) ?? '';
  await appendFile(join(root, 'log', newest), '{"n":41,"at":1,"stream":"std');

  logs = open();
  const again = await logs.hold('log', 'k');
  expect(again.file.stored.get('k')).toEqual({ stdout: 400, stderr: 7 });
  await say(again, 'k', 41, 42);
  await again.release();
  await hold.release();
  expect((await read()).slice(-4)).toEqual(numbered(39, 42));
});

test('a log can be removed, but not while it is written', async () => {
  const hold = await logs.hold('log', 'k');
  await say(hold, 'k', 1, 1);
  await expect(logs.remove('log')).rejects.toMatchObject({ code: 'conflict' });
  await hold.release();
  await logs.remove('log');
  expect(await read()).toEqual([]);
  expect(await readdir(root)).toEqual([]);
  await expect(logs.remove('../log')).rejects.toMatchObject({ code: 'bad_request' });
});

test('a log released and taken again at once is written by one', async () => {
  const first = await logs.hold('log', 'a');
  await say(first, 'a', 1, 5);
  const released = first.release();
  const second = await logs.hold('log', 'b');
  await released;
  await say(second, 'b', 6, 9);
  await second.release();
  expect(await read()).toEqual(numbered(1, 9));
});
