import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { addArchive } from '../../../backend/cell/images/archive.js';
import { folderBase, hostBase } from '../../../backend/cell/images/base-tree.js';
import { composingWhereNeeded, createComposer } from '../../../backend/cell/images/compose-at-start.js';
import { createDroplets, type Fetcher, type ImageMaker } from '../../../backend/cell/images/droplets.js';
import type { Download } from '../../../backend/cell/model.js';
import { ImageStore } from '../../../executor/images/store.js';
import { RootTree, VCAP } from '../../../executor/images/tree.js';
import { anOrder } from '../../support/cell.js';
import { never } from '../../support/executor.js';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'unik-compose-'));
});
afterEach(() => rm(dir, { recursive: true }));

interface Member {
  name: string;
  type?: 'file' | 'directory' | 'symlink' | 'link' | 'fifo';
  linkname?: string;
  mode?: number;
  content?: string;
}
async function aTar(...members: Member[]): Promise<Buffer> {
  const tar = pack();
  for (const { content = '', ...header } of members) tar.entry(header, header.type === undefined ? content : '');
  tar.finalize();
  return buffer(tar);
}
const quiet = { begin: () => undefined, done: () => undefined };

describe('an archive in a tree', () => {
  async function unpacked(archive: Buffer, max_bytes = 1e6): Promise<RootTree> {
    const tree = new RootTree();
    tree.symlink('/bin', 'usr/bin');
    tree.symlink('/loop', 'loop');
    await writeFile(join(dir, 'archive'), archive);
    const spool = join(dir, 'spool');
    await mkdir(spool);
    await addArchive(tree, join(dir, 'archive'), { to: '/home/vcap', owner: VCAP, spool, max_bytes, signal: never() });
    return tree;
  }
  const tgz = async (...members: Member[]): Promise<RootTree> => unpacked(gzipSync(await aTar(...members)));

  test('keeps modes, links and folders, and belongs to the application', async () => {
    const tree = await tgz(
      { name: './app/', type: 'directory', mode: 0o750 },
      { name: './app/run', mode: 0o755, content: 'x' },
      { name: 'app/same', type: 'link', linkname: 'app/run' },
      { name: 'app/soft', type: 'symlink', linkname: 'run' },
      { name: 'app/pipe', type: 'fifo' },
    );
    const app = '/home/vcap/app';
    expect(tree.get(app)).toMatchObject({ mode: 0o750, ...VCAP });
    expect(tree.get(`${app}/run`)).toMatchObject({ kind: 'file', mode: 0o755, bytes: 1, ...VCAP });
    expect(tree.get(`${app}/same`)).toBe(tree.get(`${app}/run`));
    expect(tree.get(`${app}/soft`)).toMatchObject({ kind: 'symlink', target: Buffer.from('run') });
    expect(tree.get(`${app}/pipe`)).toBeUndefined();
  });

  test('never leaves the tree, whatever it names', async () => {
    const tree = await tgz(
      { name: '../../../../etc/passwd', content: 'x' },
      { name: 'out', type: 'symlink', linkname: '/bin' },
      { name: 'out/tool', content: 'y' },
    );
    expect(tree.get('/etc/passwd')).toMatchObject({ bytes: 1 });
    expect(tree.get('/usr/bin/tool')).toMatchObject({ bytes: 1 });
    expect((await readdir(dir)).sort()).toEqual(['archive', 'spool']);
  });

  test.each([
    ['cut off', async () => gzipSync(await aTar({ name: 'a', content: 'abc' })).subarray(0, 30), 'image_truncated'],
    ['too large', async () => gzipSync(await aTar({ name: 'a', content: 'a'.repeat(2e6) })), 'image_invalid'],
    ['a link in a circle', () => aTar({ name: '/../../loop/x', content: 'x' }), 'image_invalid'],
  ])('%s: refused', async (_why, archive, code) => {
    await expect(unpacked(await archive())).rejects.toMatchObject({ code });
  });
});

describe('an image made at start', () => {
  let fetched: string[];
  let archives: Record<string, Buffer>;
  let store: ImageStore;
  let held: number;
  let composer: ImageMaker;
  let droplets: ImageMaker;
  const open = (): void => {
    const fetcher: Fetcher = {
      async fetch({ from }) {
        fetched.push(from);
        held++;
        const path = join(dir, `${createHash('md5').update(from).digest('hex')}-${fetched.length}`);
        await writeFile(path, archives[from] ?? Buffer.from('nothing of use'));
        const release = async (): Promise<void> => {
          held--;
          await rm(path);
        };
        return { path, bytes: 1, release };
      },
    };
    store = new ImageStore(join(dir, 'images'));
    const base = async (): Promise<Awaited<ReturnType<typeof folderBase>>> => folderBase(join(dir, 'base'));
    composer = createComposer({ store, fetcher, dir: join(dir, 'compose'), arch: 'x86_64', base });
    droplets = createDroplets({ store, fetcher, dir: join(dir, 'notes') });
  };
  beforeEach(async () => {
    [fetched, held] = [[], 0];
    await mkdir(join(dir, 'base/usr/bin'), { recursive: true });
    await writeFile(join(dir, 'base/usr/bin/bash'), 'a shell', { mode: 0o755 });
    archives = { a: gzipSync(await aTar({ name: 'grace', mode: 0o755, content: 'a program' })) };
    open();
  });
  const download = (from: string, artifact = ''): Download => ({
    ...{ artifact, from, to: '/tmp/grace', cache_key: '', log_source: 'CELL' },
  });
  const order = (...downloads: Download[]): ReturnType<typeof anOrder> => anOrder({ downloads });

  test('holds base and downloads, is made once, and lets its archives go', async () => {
    const many = await Promise.all(
      [1, 2, 3].map(() => composer.imageFor(order(download('a', 'grace')), quiet, never())),
    );
    const [first] = many;
    expect(new Set(many.map(({ digest }) => digest)).size).toBe(1);
    const root = await readFile(join(dir, 'images', first?.digest.slice(7) ?? '', 'root.erofs'));
    for (const text of ['a program', 'a shell', 'vcap:x:2000']) expect(root.includes(text)).toBe(true);
    open();
    const before = await store.list();
    expect((await composer.imageFor(order(download('a')), quiet, never())).digest).toBe(first?.digest);
    expect(await store.list()).toEqual(before);
    expect(held).toBe(0);
    expect((await readdir(join(dir, 'compose'))).sort()).toEqual(['made']);
    expect((await composer.imageFor(order(), quiet, never())).digest).not.toBe(first?.digest);
  });

  test('one that cannot be made says why', async () => {
    await expect(composer.imageFor(order(download('b', 'asset')), quiet, never())).rejects.toThrow(
      /^Copying asset into the container failed: the archive cannot be read/,
    );
    expect(held).toBe(0);
  });

  test('what is copied in counts against the disk, what is shared does not', async () => {
    archives['b'] = gzipSync(await aTar({ name: 'big', content: 'x'.repeat(3 * 2 ** 20) }));
    const on = (disk_mb: number, from: Download): ReturnType<typeof anOrder> =>
      anOrder({ downloads: [download('a'), from], limits: { memory_mb: 64, disk_mb, cpu_weight: 1 } });
    const image = await composer.imageFor(on(4, download('b')), quiet, never());
    for (const disk_mb of [2, 1]) {
      await expect(composer.imageFor(on(disk_mb, download('b')), quiet, never())).rejects.toThrow(
        /^Copying the download into the container failed: 4 MB are more than its disk/,
      );
    }
    expect(await composer.imageFor(on(0, download('b')), quiet, never())).toEqual(image);
    const shared = { ...download('b'), dependency: true };
    expect((await composer.imageFor(on(2, shared), quiet, never())).digest).toBe(image.digest);
    expect(held).toBe(0);
  });

  test('droplets with an image go before; others are composed', async () => {
    const both = composingWhereNeeded(droplets, composer);
    archives['droplet'] = gzipSync(await aTar({ name: './app/run', content: 'x' }));
    for (const one of [download('droplet', 'droplet'), download('a', 'grace')]) {
      expect(await both.imageFor(order(one), quiet, never())).toMatchObject({ labels: { shell: '/bin/bash' } });
    }
  });

  test('the host itself is base enough for a shell', async () => {
    const base = hostBase(process.env['PATH'] ?? '', process.arch === 'arm64' ? 'aarch64' : 'x86_64');
    const tree = await base.make();
    const names = ['bash', 'ls', 'cat', 'sleep'];
    for (const name of names) {
      expect(tree.get(`/usr/bin/${name}`) ?? tree.get(`/bin/${name}`)).toMatchObject({ kind: 'file' });
    }
    expect(tree.get('/tmp')).toMatchObject({ kind: 'folder', mode: 0o1777 });
    expect(base.fingerprint).toBe(hostBase(process.env['PATH'] ?? '', 'x86_64').fingerprint);
  });
});
