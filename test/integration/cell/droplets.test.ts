import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { createDroplets, type ImageMaker } from '../../../backend/cell/images/droplets.js';
import { pruneImages } from '../../../backend/cell/images/prune.js';
import type { Download } from '../../../backend/cell/model.js';
import { systemClock } from '../../../core/clock.js';
import { noLog } from '../../../core/log.js';
import { composeImage } from '../../../executor/images/compose.js';
import { packDroplet } from '../../../executor/images/droplet.js';
import { ImageStore } from '../../../executor/images/store.js';
import { RootTree } from '../../../executor/images/tree.js';
import { createFetcher, type Fetcher } from '../../../stager/actions/fetch.js';
import { anOrder } from '../../support/cell.js';
import { anImage, never } from '../../support/executor.js';

let dir: string;
let server: Server;
let fetcher: Fetcher;
let store: ImageStore;
let droplets: ImageMaker;
let droplet: Buffer;
/** Paths that were asked for, and what lets an answer through. */
let asked: string[];
let gate: Promise<void>;
let from: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'unik-droplets-'));
  const { schema: _s, digest: _d, root: _r, ...config } = anImage();
  const tree = new RootTree();
  tree.file('/app/server', 'a program');
  const image = await composeImage(tree, config, new ImageStore(join(dir, 'staged')));
  const out = new PassThrough();
  [droplet] = await Promise.all([buffer(out), packDroplet(image, out)]);
  [asked, gate] = [[], Promise.resolve()];
  server = createServer((request, response) => {
    asked.push(request.url ?? '');
    void gate.then(() => response.end(request.url === '/droplet' ? droplet : 'something else'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  from = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  fetcher = createFetcher({ folder: dir, max_bytes: 1e9, clock: systemClock, log: noLog, attempts: 1 });
  store = new ImageStore(join(dir, 'images'));
  droplets = createDroplets({ store, fetcher, dir: join(dir, 'notes') });
});
afterEach(async () => {
  await fetcher.close();
  server.closeAllConnections();
  server.close();
  await rm(dir, { recursive: true });
});

const sha256 = (of: Buffer): NonNullable<Download['checksum']> => ({
  algorithm: 'sha256',
  value: createHash('sha256').update(of).digest('hex'),
});
const aDownload = (over: Partial<Download> = {}): Download => ({
  ...{ artifact: 'droplet', from: `${from}/droplet`, to: '/', cache_key: '', log_source: 'CELL' },
  ...over,
});
async function bring(download: Download, signal = never()): Promise<string[]> {
  const said: string[] = [];
  const listener = {
    begin: ({ artifact }: Download): void => void said.push(`begin ${artifact}`),
    done: (_: Download, bytes: number): void => void said.push(`done ${bytes}`),
  };
  const { digest } = await droplets.imageFor(anOrder({ downloads: [download] }), listener, signal);
  return [...said, digest];
}

describe('the image of a droplet', () => {
  test('is fetched and unpacked once for all who want it, and told to each', async () => {
    const all = await Promise.all(Array.from({ length: 5 }, () => bring(aDownload({ checksum: sha256(droplet) }))));
    const [{ digest } = { digest: '' }] = await store.list();
    expect(all).toEqual(all.map(() => ['begin droplet', `done ${droplet.length}`, digest]));
    // A new process knows it by its note.
    droplets = createDroplets({ store, fetcher, dir: join(dir, 'notes') });
    expect(await bring(aDownload({ checksum: sha256(droplet) }))).toEqual(all[0]);
    expect(asked).toEqual(['/droplet']);
  });

  test('comes again when it is gone, or its note is broken', async () => {
    const download = aDownload({ checksum: sha256(droplet) });
    const first = await bring(download);
    await rm(join(dir, 'images'), { recursive: true });
    expect(await bring(download)).toEqual(first);
    for (const name of await readdir(join(dir, 'notes'))) await writeFile(join(dir, 'notes', name), '{');
    expect(await bring(download)).toEqual(first);
    expect(asked).toHaveLength(3);
  });

  test('goes when it was not used for long, unless it runs or has a name', async () => {
    const [, , digest = ''] = await bring(aDownload({ checksum: sha256(droplet) }));
    const options = { store, dirs: [join(dir, 'notes')], keep: 0, inUse: () => false };
    const later = Date.now() + 3_600_000;
    expect(await pruneImages({ ...options, now: Date.now() })).toEqual([]);
    expect(await pruneImages({ ...options, now: later, keep: 1 })).toEqual([]);
    expect(await pruneImages({ ...options, now: later, inUse: (one) => one === digest })).toEqual([]);
    await store.tag('mine', digest);
    expect(await pruneImages({ ...options, now: later })).toEqual([]);
    await store.remove('mine');
    await bring(aDownload({ checksum: sha256(droplet) }));
    expect(await pruneImages({ ...options, now: later })).toEqual([digest]);
    expect([await store.list(), await readdir(join(dir, 'notes'))]).toEqual([[], []]);
  });

  test.each<[why: string, over: () => Partial<Download>, reason: RegExp, detail: RegExp]>([
    ['nobody there', () => ({ from: 'http://127.0.0.1:9/' }), /^Downloading droplet failed$/, /refused|ECONNREFUSED/],
    [
      'a wrong checksum',
      () => ({ checksum: sha256(Buffer.from('other')) }),
      /^Downloading droplet failed$/,
      /checksum|sha256/i,
    ],
    ['no archive', () => ({ from: `${from}/x` }), /^Copying droplet into the container failed: .*cannot be read/, /^$/],
  ])('%s', async (_why, over, reason, detail) => {
    await expect(bring(aDownload(over()))).rejects.toMatchObject({
      message: expect.stringMatching(reason),
      detail: expect.stringMatching(detail),
      outcome: { failed: true, retryable: false },
    });
    expect(await store.list()).toEqual([]);
  });

  test('an order without a droplet is told so', async () => {
    const none = { begin: () => undefined, done: () => undefined };
    await expect(droplets.imageFor(anOrder(), none, never())).rejects.toThrow(/no droplet among its 0 downloads/);
  });

  test('who leaves does not take it from the others; the last one calls it off', async () => {
    let open: () => void = () => undefined;
    gate = new Promise((resolve) => (open = resolve));
    const [one, two] = [new AbortController(), new AbortController()];
    const download = aDownload({ checksum: sha256(droplet) });
    const [first, second] = [bring(download, one.signal), bring(download, two.signal)];
    one.abort(new Error('left'));
    await expect(first).rejects.toThrow('left');
    open();
    expect(await second).toHaveLength(3);
    gate = new Promise(() => undefined);
    const three = new AbortController();
    const last = bring(aDownload({ from: `${from}/other` }), three.signal);
    three.abort(new Error('left as well'));
    await expect(last).rejects.toThrow('left as well');
  });
});
