/** Roots of library operating systems: written here, read by others and by readers that share no code with the writers. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { mkdir, readFile, readlink, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readCpio } from '../../../executor/images/cpio/read.js';
import { writeCpio } from '../../../executor/images/cpio/write.js';
import { readRofs } from '../../../executor/images/rofs/read.js';
import { writeRofs } from '../../../executor/images/rofs/write.js';
import { tuple, type Tuple } from '../../../executor/images/tfs/encode.js';
import { instanceExtension, resolverSector } from '../../../executor/images/tfs/instance.js';
import { SECTOR } from '../../../executor/images/tfs/log.js';
import { readTfs } from '../../../executor/images/tfs/read.js';
import { INSTANCE, writeTfs } from '../../../executor/images/tfs/write.js';
import { diskHead, HEAD_BYTES } from '../../../executor/guests/nanos/head.js';
import { entryAt } from '../../../executor/images/mbr.js';
import { RootTree } from '../../../executor/images/tree.js';
import { writeOverlay } from '../../../executor/providers/qemu/overlay.js';
import { failure } from '../../support/failure.js';
import { sampleTree, scratch } from '../../support/guests.js';

let folder: Awaited<ReturnType<typeof scratch>>;
beforeAll(async () => {
  folder = await scratch();
});
afterAll(() => folder.remove());

const at = (name: string): string => join(folder.dir, name);

describe('cpio', () => {
  test('the stock cpio unpacks it to the same files', async () => {
    await writeCpio(sampleTree().root, at('a.cpio'));
    const into = at('unpacked');
    await mkdir(into);
    await execa('cpio', ['-i', '-m', '--no-absolute-filenames', '--quiet'], {
      cwd: into,
      input: await readFile(at('a.cpio')),
    });
    expect(await readFile(join(into, 'deep/er/still/größe.txt'), 'utf8')).toBe('größe\n');
    expect((await stat(join(into, 'bin/app'))).mode & 0o7777).toBe(0o755);
    expect((await stat(join(into, 'tmp'))).mode & 0o7777).toBe(0o1777);
    expect((await stat(join(into, 'bin/app'))).size).toBe(10_000);
    expect(await readlink(join(into, 'lib'))).toBe('usr/lib');
  });

  test('the same tree is the same bytes, in whatever order it was made', async () => {
    const [one, other] = [new RootTree(), new RootTree()];
    one.file('/a', '1');
    one.file('/b/c', '2');
    other.file('/b/c', '2');
    other.file('/a', '1');
    const first = await writeCpio(one.root, at('one.cpio'));
    expect(await writeCpio(other.root, at('other.cpio'))).toEqual(first);
  });

  test('our reader gives what was written; a compressed archive is refused', async () => {
    const archive = await readFile(at('a.cpio'));
    const names = [...readCpio(archive)].map(({ name }) => name);
    expect(names).toContain('bin/app');
    expect(names.indexOf('bin')).toBeLessThan(names.indexOf('bin/app'));
    const gzipped = Buffer.concat([Buffer.from([0x1f, 0x8b, 8, 0]), archive]);
    const refusal = await failure(() => [...readCpio(gzipped)]);
    expect(refusal.message).toMatch(/compressed/);
  });
});

describe('TFS', () => {
  test('the log gives the tree, and file bytes lie where it says', async () => {
    await writeTfs(sampleTree().root, at('a.tfs'));
    const image = await readFile(at('a.tfs'));
    const root = readTfs(image);
    const app = child(root, 'bin', 'app');
    expect(app.get('filelength')).toBe(10_000);
    const extent = (app.get('extents') as Tuple).get('0') as Tuple;
    const start = Number(extent.get('offset')) * SECTOR;
    expect(image.subarray(start, start + 10_000)).toEqual(Buffer.alloc(10_000, 'A'));
    expect(child(root, 'lib').get('linktarget')).toBe('usr/lib');
    expect(child(root, 'empty').get('filelength')).toBe(0);
    const name = Buffer.from('größe.txt').toString('latin1');
    expect(child(root, 'deep', 'er', 'still', name).get('filelength')).toBe(8);
  });

  test('no two extents overlap, and none overlaps the log', async () => {
    const image = await readFile(at('a.tfs'));
    const taken: [number, number][] = [
      [0, 1],
      [INSTANCE.sector, INSTANCE.sector + INSTANCE.sectors],
    ];
    const visit = (node: Tuple): void => {
      const extent = (node.get('extents') as Tuple | undefined)?.get('0') as Tuple | undefined;
      if (extent) {
        const offset = Number(extent.get('offset'));
        taken.push([offset, offset + Number(extent.get('allocated'))]);
      }
      for (const inner of (node.get('children') as Tuple | undefined)?.values() ?? []) visit(inner as Tuple);
    };
    visit(readTfs(image));
    taken.sort(([a], [b]) => a - b);
    for (const [index, [start]] of taken.entries()) expect(start).toBeGreaterThanOrEqual(taken[index - 1]?.[1] ?? 0);
  });

  test('an instance extension changes the root of any image, and holds 200 variables and 20 KB', async () => {
    const image = await readFile(at('a.tfs'));
    const environment: Tuple = new Map(Array.from({ length: 200 }, (_, i) => [`V${i}`, `value "${i}" = 🎉`]));
    environment.set('VCAP_SERVICES', JSON.stringify({ a: 'b'.repeat(20_000) }));
    environment.set('__proto__', 'not lost');
    instanceExtension(tuple({ program: '/bin/app', environment })).copy(image, INSTANCE.sector * SECTOR);
    const root = readTfs(image);
    expect(root.get('environment')).toEqual(environment);
    expect(root.get('program')).toBe('/bin/app');
    expect(child(root, 'bin', 'app').get('filelength')).toBe(10_000);
  });

  test('more than fits is refused, not cut', async () => {
    const refusal = await failure(() => instanceExtension(tuple({ environment: tuple({ A: 'x'.repeat(200_000) }) })));
    expect(refusal.code).toBe('environment_too_large');
    expect(resolverSector(['1.1.1.1', '9.9.9.9']).toString()).toMatch(
      /^nameserver 1\.1\.1\.1\nnameserver 9\.9\.9\.9\n\n+$/,
    );
    expect(resolverSector([])).toHaveLength(SECTOR);
  });

  test('a disk head carries its boot blob, a partition of its own and the kernel', async () => {
    const blob = Buffer.alloc(48_640, 0x90);
    blob.fill(0, 426, 510);
    blob.writeBigUInt64LE(48_128n, 434);
    blob.writeUInt32LE(12, 442);
    blob.set([0x55, 0xaa], 510);
    const kernel = Buffer.alloc(100_000, 'K');
    const head = await diskHead(blob, kernel, at('head'));
    expect(head.subarray(512, 48_640)).toEqual(blob.subarray(512));
    expect(head.readUInt32LE(entryAt(1) + 8)).toBe(103);
    const system = head.subarray(103 * 512);
    expect(child(readTfs(system), 'kernel').get('filelength')).toBe(100_000);
    expect(head.length).toBeLessThanOrEqual(HEAD_BYTES);
    expect((await failure(() => diskHead(Buffer.alloc(1024), kernel, at('head')))).code).toBe('kernel_invalid');
  });
});

describe('ROFS', () => {
  test('our reader gives what was written', async () => {
    await writeRofs(sampleTree().root, at('a.rofs'));
    const files = new Map(readRofs(await readFile(at('a.rofs'))).map((file) => [file.path, file]));
    expect(Buffer.from(files.get('bin/app')?.data ?? [])).toEqual(Buffer.alloc(10_000, 'A'));
    expect(Buffer.from(files.get('lib')?.data ?? []).toString()).toBe('usr/lib');
    expect(files.get('tmp')?.kind).toBe('folder');
    expect(files.size).toBe(15);
  });
});

test('QEMU’s own tool reads an overlay: the base, the patches over it, zeros beyond', async () => {
  await writeFile(at('base.img'), Buffer.alloc(300_000, 'B'));
  const patches = [
    { offset: 0, content: Buffer.from('HEAD') },
    { offset: 65_530, content: Buffer.alloc(100, 'P') },
    { offset: 2, content: Buffer.from('!!') },
  ];
  await writeOverlay(at('over.qcow2'), { base: 'base.img', dir: folder.dir, bytes: 1024 * 1024, patches });
  const checked = await execa('qemu-img', ['check', at('over.qcow2')], { reject: false });
  expect(`${checked.stdout}${checked.stderr}`).toMatch(/No errors were found/);
  await execa('qemu-img', ['convert', '-O', 'raw', at('over.qcow2'), at('flat.img')]);
  const flat = await readFile(at('flat.img'));
  const wanted = Buffer.alloc(1024 * 1024);
  wanted.fill('B', 0, 300_000);
  wanted.write('HE!!', 0);
  wanted.fill('P', 65_530, 65_630);
  expect(flat.equals(wanted)).toBe(true);
});

function child(root: Tuple, ...path: string[]): Tuple {
  let node = root;
  for (const name of path) {
    const next = (node.get('children') as Tuple | undefined)?.get(name);
    if (!(next instanceof Map)) throw new Error(`no ${name}`);
    node = next;
  }
  return node;
}
