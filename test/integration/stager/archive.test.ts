import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';
import { packTar, unpackTar } from '../../../stager/archive/tar.js';
import { unpackZip } from '../../../stager/archive/zip.js';
import { failure } from '../../support/failure.js';
import { writeZip, type ZipPart } from '../../support/zip.js';

let work: string;
let count = 0;
beforeAll(() => {
  work = fs.mkdtempSync(join(tmpdir(), 'unik-archive-'));
});
afterAll(() => fs.rmSync(work, { recursive: true, force: true }));

async function zipOf(...parts: ZipPart[]): Promise<{ file: string; into: string }> {
  const into = join(work, `${count++}`, 'into');
  fs.mkdirSync(into, { recursive: true });
  const file = join(work, `${count++}.zip`);
  await writeZip(file, parts);
  return { file, into };
}

describe('a zip file', () => {
  test('is unpacked with folders, execute bits and inner symlinks', async () => {
    const { file, into } = await zipOf(
      { name: 'a/run', content: '#!/bin/sh', mode: 0o100755 },
      { name: 'a/data', content: 'x' },
      { name: 'link', content: 'a/data', mode: 0o120777 },
    );
    await unpackZip(file, into);
    expect(fs.readdirSync(into).sort()).toEqual(['a', 'link']);
    expect(fs.statSync(join(into, 'a/run')).mode & 0o777).toBe(0o755);
    expect(fs.readFileSync(join(into, 'link'), 'utf8')).toBe('x');
  });

  test.each<[why: string, parts: ZipPart[], code: string]>([
    ['../ entries', [{ name: '../../evil', content: 'x' }], 'archive_unsafe'],
    ['a symlink that leads outside', [{ name: 'l', content: '/etc', mode: 0o120777 }], 'archive_unsafe'],
    [
      'a file through a symlink',
      [
        { name: 'd/x', content: '' },
        { name: 'l', content: 'd', mode: 0o120777 },
        { name: 'l/y', content: 'x' },
      ],
      'archive_unsafe',
    ],
    ['a bomb', [{ name: 'zeros', content: Buffer.alloc(3_000_000) }], 'archive_too_large'],
  ])('with %s is refused, and nothing lies outside', async (_why, parts, code) => {
    const { file, into } = await zipOf(...parts);
    const limits = { bytes: 1_000_000, entries: 100 };
    expect((await failure(() => unpackZip(file, into, { limits }))).code).toBe(code);
    expect(fs.readdirSync(join(into, '..'))).toEqual(['into']);
    expect(fs.readdirSync(work)).not.toContain('evil');
  });

  test('that is none is refused', async () => {
    const file = join(work, 'none.zip');
    fs.writeFileSync(file, 'hello');
    expect((await failure(() => unpackZip(file, work))).code).toBe('archive_invalid');
  });
});

describe('a tar file', () => {
  test('goes out and comes in again, the same bytes each time', async () => {
    const from = join(work, 'from');
    fs.mkdirSync(join(from, 'sub'), { recursive: true });
    fs.writeFileSync(join(from, 'sub/run'), 'x', { mode: 0o700 });
    fs.symlinkSync('sub/run', join(from, 'link'));
    const write = async (name: string): Promise<Buffer> => {
      const file = join(work, name);
      await packTar(
        [
          { name: './text', text: 'hello' },
          { name: './app', dir: from },
        ],
        fs.createWriteStream(file),
        {
          mtime: new Date(0),
        },
      );
      return fs.readFileSync(file);
    };
    expect((await write('one.tgz')).equals(await write('two.tgz'))).toBe(true);
    const into = join(work, 'into-tar');
    fs.mkdirSync(into);
    await unpackTar(fs.createReadStream(join(work, 'one.tgz')), into, { gzip: true });
    expect(fs.readFileSync(join(into, 'app/link'), 'utf8')).toBe('x');
    expect(fs.statSync(join(into, 'app/sub/run')).mode & 0o777).toBe(0o755);
    expect(fs.readFileSync(join(into, 'text'), 'utf8')).toBe('hello');
  });

  test.each([
    ['a path outside', { name: '../evil-tar' }, 'archive_unsafe'],
    ['an absolute path', { name: '/tmp/evil-tar' }, 'archive_unsafe'],
    ['a symlink outside', { name: 'l', type: 'symlink', linkname: '../..' }, 'archive_unsafe'],
    ['a hard link outside', { name: 'l', type: 'link', linkname: '../../etc/passwd' }, 'archive_unsafe'],
  ] as const)('with %s is refused', async (_why, header, code) => {
    const tar = pack();
    tar.entry(header, '');
    tar.finalize();
    const file = join(work, `${count++}.tar`);
    await pipeline(tar, fs.createWriteStream(file));
    const into = join(work, `${count++}`, 'into');
    fs.mkdirSync(into, { recursive: true });
    expect((await failure(() => unpackTar(fs.createReadStream(file), into))).code).toBe(code);
    expect(fs.readdirSync(join(into, '..'))).toEqual(['into']);
  });

  test('that ends too early is refused', async () => {
    const whole = fs.readFileSync(join(work, 'one.tgz'));
    fs.writeFileSync(join(work, 'half.tgz'), whole.subarray(0, whole.length / 2));
    const half = fs.createReadStream(join(work, 'half.tgz'));
    expect((await failure(() => unpackTar(half, work, { gzip: true }))).code).toBe('archive_invalid');
  });
});
