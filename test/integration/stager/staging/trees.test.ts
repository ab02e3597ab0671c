/** What staging tasks share: unpacked once, kept by checksum, least recently used first out. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../../core/clock.js';
import { noLog } from '../../../../core/log.js';
import { createFetcher, type Fetcher } from '../../../../stager/actions/fetch.js';
import { Trees, type HeldTree } from '../../../../stager/staging/trees.js';
import { zipped } from '../../../support/staging/bits.js';
import { startOrigin, type Blob, type Origin } from '../../../support/staging/origin.js';

const SIZE = 40_000;
let dir: string;
let origin: Origin;
let fetcher: Fetcher;
let now: number;
let trees: Trees;
const never = new AbortController().signal;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'unik-trees-'));
  origin = await startOrigin();
  now = Date.now();
  fetcher = createFetcher({ folder: join(dir, 'fetch'), max_bytes: 1e8, clock: systemClock, log: noLog });
  trees = await opened();
});
afterEach(async () => {
  await fetcher.close();
  origin.close();
  await rm(dir, { recursive: true, force: true });
});

/** Two trees fit, three do not. */
async function opened(): Promise<Trees> {
  const clock = { ...systemClock, now: () => (now += 1_000) };
  const folder = join(dir, 'trees');
  const made = new Trees({ folder, max_bytes: 2.5 * SIZE, max_entries: 10, fetcher, clock, log: noLog });
  await made.load();
  return made;
}

async function archive(name: string): Promise<Blob> {
  return origin.add(`${name}.zip`, await zipped([{ name: 'file', content: name.padEnd(SIZE, '.') }]));
}

const hold = ({ url, sha256 }: Blob, of = trees): Promise<HeldTree> =>
  of.hold({ from: url, cache_key: '', checksum: { algorithm: 'sha256', value: sha256 } }, never);

/** Uses it, and lets it go. */
async function use(blob: Blob, of = trees): Promise<void> {
  await (await hold(blob, of)).release();
}

const asked = (name: string): number => origin.asked.get(`/${name}.zip`) ?? 0;
const kept = async (): Promise<string[]> => (await readdir(join(dir, 'trees'))).sort();

test('it is fetched and unpacked once, however many want it at the same time', async () => {
  const a = await archive('a');
  const held = await Promise.all([hold(a), hold(a), hold(a)]);
  expect(new Set(held.map(({ path }) => path)).size).toBe(1);
  expect((await readFile(join(held[0].path, 'file'), 'utf8')).slice(0, 2)).toBe('a.');
  const before = asked('a');
  for (const one of held) await one.release();
  await use(a);
  expect(asked('a')).toBe(before);
  expect(await kept()).toEqual([a.sha256]);
});

test('the one that was used longest ago goes first', async () => {
  const [a, b, c] = [await archive('a'), await archive('b'), await archive('c')];
  await use(a);
  await use(b);
  await use(a);
  await use(c);
  expect(await kept()).toEqual([a.sha256, c.sha256].sort());
  await use(b);
  expect(asked('b')).toBe(2);
});

test('what is in use stays, whatever its age and size', async () => {
  const [a, b, c] = [await archive('a'), await archive('b'), await archive('c')];
  const held = await hold(a);
  await use(b);
  await use(c);
  expect(await kept()).toContain(a.sha256);
  expect((await stat(join(held.path, 'file'))).size).toBe(SIZE);
  await held.release();
});

test('a later process finds what is there, by its age, and drops what was left half done', async () => {
  const [a, b, c] = [await archive('a'), await archive('b'), await archive('c')];
  await use(a);
  await use(b);
  await use(a);
  await mkdir(join(dir, 'trees', `${c.sha256}.0123456789ab`, 'tree'), { recursive: true });
  const later = await opened();
  expect(await kept()).toEqual([a.sha256, b.sha256].sort());
  await use(c, later);
  expect(await kept()).toEqual([a.sha256, c.sha256].sort());
  expect([asked('a'), asked('b')]).toEqual([1, 1]);
});

test('what cannot be unpacked leaves nothing', async () => {
  const many = await zipped(Array.from({ length: 11 }, (_, at) => ({ name: `f${at}`, content: 'x' })));
  await expect(hold(origin.add('many.zip', many))).rejects.toMatchObject({ code: 'archive_too_large' });
  await expect(hold({ url: `${origin.url}/none`, sha256: 'ab'.repeat(32) })).rejects.toMatchObject({
    code: 'download_failed',
  });
  expect(await kept()).toEqual([]);
});
