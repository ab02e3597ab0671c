import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { gzipSync } from 'node:zlib';
import { pack, type Header } from 'tar-stream';
import { ZipFile } from 'yazl';
import { unpack } from '../../../../stager/actions/unpack.js';

type Entry = Partial<Header> & { name: string; content?: string };

let dir: string;
let into: string;
const never = new AbortController().signal;
const limits = { max_bytes: 1_000_000, max_entries: 100 };

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'unik-unpack-'));
  into = join(dir, 'into');
  await mkdir(into);
});
afterEach(() => rm(dir, { recursive: true, force: true }));

async function aTar(entries: readonly Entry[]): Promise<Buffer> {
  const tar = pack();
  for (const { content = '', ...header } of entries) tar.entry(header, content);
  tar.finalize();
  return buffer(tar);
}

async function archive(bytes: Uint8Array): Promise<string> {
  const path = join(dir, 'archive');
  await writeFile(path, bytes);
  return path;
}

async function zipOf(entries: readonly { name: string; content: string; mode?: number }[]): Promise<string> {
  const zip = new ZipFile();
  for (const { name, content, mode } of entries) {
    zip.addBuffer(Buffer.from(content), name, mode === undefined ? {} : { mode });
  }
  zip.end();
  const path = join(dir, 'archive');
  await pipeline(zip.outputStream, createWriteStream(path));
  return path;
}

const read = (name: string): Promise<string> => readFile(join(into, name), 'utf8');
const LINK = 0o120777;

describe('an archive', () => {
  const entries: Entry[] = [
    { name: './', type: 'directory' },
    { name: './app/run.sh', content: '#!/bin/sh', mode: 0o4755 },
    { name: 'app/data.txt', content: 'data', mode: 0o640 },
    { name: 'app/empty', type: 'directory' },
    { name: 'app/link', type: 'symlink', linkname: 'data.txt' },
    { name: 'app/same', type: 'link', linkname: 'app/data.txt' },
  ];

  test.each([
    ['tar', (bytes: Buffer): Buffer => bytes],
    ['gzipped tar', (bytes: Buffer): Buffer => gzipSync(bytes)],
  ])('of kind %s is unpacked', async (_kind, wrap) => {
    await unpack(await archive(wrap(await aTar(entries))), into, limits, never);
    expect(await read('app/run.sh')).toBe('#!/bin/sh');
    expect((await stat(join(into, 'app/run.sh'))).mode & 0o7777).toBe(0o755);
    expect(await read('app/same')).toBe('data');
    expect(await readlink(join(into, 'app/link'))).toBe('data.txt');
    expect(await readdir(join(into, 'app'))).toEqual(['data.txt', 'empty', 'link', 'run.sh', 'same']);
  });

  test('of kind zip is unpacked', async () => {
    const path = await zipOf([
      { name: 'bin/run', content: 'run', mode: 0o100755 },
      { name: 'bin/link', content: 'run', mode: LINK },
      { name: 'plain', content: 'x'.repeat(10_000) },
    ]);
    await unpack(path, into, limits, never);
    expect((await stat(join(into, 'bin/run'))).mode & 0o777).toBe(0o755);
    expect(await readlink(join(into, 'bin/link'))).toBe('run');
    expect(await read('plain')).toHaveLength(10_000);
  });

  test('comes over what is there', async () => {
    await writeFile(join(into, 'a'), 'old');
    await symlink('/etc/hostname', join(into, 'b'));
    await unpack(
      await archive(
        await aTar([
          { name: 'a', content: 'new' },
          { name: 'b', content: 'own' },
        ]),
      ),
      into,
      limits,
      never,
    );
    expect([await read('a'), await read('b')]).toEqual(['new', 'own']);
  });

  test('may be empty', async () => {
    await unpack(await archive(await aTar([])), into, limits, never);
    expect(await readdir(into)).toEqual([]);
  });
});

describe('it is refused, and nothing is written outside', () => {
  const outside = (): string => join(dir, 'outside');

  test.each<[why: string, entries: (outside: string) => Entry[]]>([
    ['a name that climbs', () => [{ name: '../outside/x', content: 'x' }]],
    ['a name that climbs in the middle', () => [{ name: 'a/../../outside/x', content: 'x' }]],
    ['an absolute name', (path) => [{ name: join(path, 'x'), content: 'x' }]],
    ['a hard link out', () => [{ name: 'a', type: 'link', linkname: '../outside/secret' }]],
    ['a device', () => [{ name: 'a', type: 'character-device' }]],
    [
      'a link used as a folder',
      (path) => [
        { name: 'a', type: 'symlink', linkname: path },
        { name: 'a/x', content: 'x' },
      ],
    ],
    [
      'a link below a link',
      (path) => [
        { name: 'a', type: 'symlink', linkname: path },
        { name: 'a/x', type: 'symlink', linkname: 'y' },
      ],
    ],
    [
      'a hard link through a link',
      (path) => [
        { name: 'there/deep', content: 'x' },
        { name: 'a', type: 'symlink', linkname: path },
        { name: 'b', type: 'link', linkname: 'a/secret' },
      ],
    ],
  ])('with %s', async (_why, entries) => {
    await mkdir(outside());
    await writeFile(join(outside(), 'secret'), 'mine');
    const path = await archive(await aTar(entries(outside())));
    await expect(unpack(path, into, limits, never)).rejects.toMatchObject({ code: 'archive_invalid' });
    expect(await readdir(outside())).toEqual(['secret']);
  });

  test('where a link lies in the way', async () => {
    await mkdir(outside());
    await symlink(outside(), join(into, 'a'));
    const path = await archive(await aTar([{ name: 'a/x', content: 'x' }]));
    await expect(unpack(path, into, limits, never)).rejects.toMatchObject({ code: 'archive_invalid' });
    expect(await readdir(outside())).toEqual([]);
  });

  test.each<[why: string, bytes: () => Promise<Uint8Array>]>([
    ['no archive', async () => Buffer.from('<html>not found</html>')],
    ['nothing', async () => Buffer.alloc(0)],
    ['a gzip of something else', async () => gzipSync('x'.repeat(5000))],
    ['half a gzip', async () => gzipSync(await aTar([{ name: 'a', content: 'x'.repeat(5000) }])).subarray(0, 60)],
    ['half a tar', async () => (await aTar([{ name: 'a', content: 'x'.repeat(5000) }])).subarray(0, 1200)],
    ['half a zip', async () => (await readFile(await zipOf([{ name: 'a', content: 'abc' }]))).subarray(0, 40)],
    [
      'too many bytes',
      async () =>
        aTar([
          { name: 'a', content: 'x'.repeat(999_999) },
          { name: 'b', content: 'xx' },
        ]),
    ],
    ['too many bytes once unpacked', async () => gzipSync(await aTar([{ name: 'a', content: 'x'.repeat(1_000_001) }]))],
    ['too many entries', async () => aTar(Array.from({ length: 101 }, (_, at) => ({ name: `f${at}` })))],
  ])('being %s', async (_why, bytes) => {
    const path = await archive(await bytes());
    await expect(unpack(path, into, limits, never)).rejects.toMatchObject({
      code: expect.stringMatching(/^archive_(invalid|too_large)$/),
    });
  });
});

test('it ends when its signal fires', async () => {
  const path = await archive(await aTar([{ name: 'a', content: 'x' }]));
  await expect(unpack(path, into, limits, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
});
