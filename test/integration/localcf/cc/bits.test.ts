import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import { checkDroplet } from '../../../../localcf/cc/bits/droplet.js';
import { readForm, type Form } from '../../../../localcf/cc/bits/multipart.js';
import { makePackage, PACKAGE_LIMITS, type KnownFile } from '../../../../localcf/cc/bits/package.js';
import { openResourceCache, type ResourceCache } from '../../../../localcf/cc/bits/resources.js';
import { Blobs } from '../../../../localcf/cc/blobs.js';
import { unpack } from '../../../../stager/actions/unpack.js';
import { zipped } from '../../../support/staging/bits.js';

const never = new AbortController().signal;
const sha = (kind: 'sha1' | 'sha256', bytes: Buffer): string => createHash(kind).update(bytes).digest('hex');
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'unik-bits-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));
const everything = async (folder: string): Promise<string[]> =>
  (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((one) => one.isFile())
    .map(({ name }) => name);

describe('blobs', () => {
  test('lie under their digest, and go when nothing names them', async () => {
    const blobs = await Blobs.open(dir);
    const bytes = Buffer.from('some bits');
    const blob = await blobs.put(Readable.from([bytes]), 100);
    expect(blob).toMatchObject({ sha256: sha('sha256', bytes), sha1: sha('sha1', bytes), bytes: 9 });
    // Held: no row names it yet.
    expect(await blobs.sweep(() => new Set())).toBe(0);
    blob.release();
    expect(await blobs.sweep(() => new Set([blob.sha256]))).toBe(0);
    expect(await readFile((await blobs.path(blob.sha256)) ?? '')).toEqual(bytes);
    expect(await blobs.sweep(() => new Set())).toBe(1);
    expect(await blobs.path(blob.sha256)).toBeUndefined();
  });
  test('too large: nothing is left', async () => {
    const blobs = await Blobs.open(dir);
    await expect(blobs.put(Readable.from([Buffer.alloc(11)]), 10)).rejects.toMatchObject({ status: 413 });
    expect(await everything(dir)).toEqual([]);
  });
  test('what a killed process left half done is gone at the next start', async () => {
    await Blobs.open(dir);
    await writeFile(join(dir, 'tmp', 'half'), 'x');
    await Blobs.open(dir);
    expect(await everything(dir)).toEqual([]);
  });
  test('names are digests only', async () => {
    const blobs = await Blobs.open(dir);
    await expect(blobs.path('../../etc/passwd')).rejects.toMatchObject({ code: 'bad_request' });
  });
});

describe('a package', () => {
  let blobs: Blobs;
  let resources: ResourceCache;
  const large = Buffer.alloc(70_000, 'x');
  beforeEach(async () => {
    blobs = await Blobs.open(join(dir, 'blobs'));
    resources = await openResourceCache(join(dir, 'resources'), 200_000);
  });
  async function make(zip: Buffer | undefined, known: KnownFile[] = [], limits = PACKAGE_LIMITS): Promise<string> {
    const path = join(dir, 'sent.zip');
    if (zip) await writeFile(path, zip);
    const blob = await makePackage(zip && path, known, { blobs, resources, limits, signal: never });
    return (await blobs.path(blob.sha256)) ?? '';
  }

  test('is what was sent, and its large files are known from then on', async () => {
    const zip = await zipped([{ name: 'a', content: large }]);
    expect(await readFile(await make(zip))).toEqual(zip);
    expect(await resources.has(sha('sha1', large), large.length)).toBe(true);
    expect(await resources.has(sha('sha1', large), large.length - 1)).toBe(false);
  });

  test('what is known need not be sent: it is put in with its name and mode, and the same files give the same bytes', async () => {
    await make(await zipped([{ name: 'first/name', content: large }]));
    const known: KnownFile = { path: 'bin/run', mode: 0o755, sha1: sha('sha1', large), bytes: large.length };
    const path = await make(await zipped([{ name: 'index.html', content: Buffer.from('hi') }]), [known]);
    const out = join(dir, 'out');
    await import('node:fs/promises').then(({ mkdir }) => mkdir(out));
    await unpack(path, out, { max_bytes: 1e6, max_entries: 10 }, never);
    expect(await readFile(join(out, 'bin/run'))).toEqual(large);
    expect((await import('node:fs')).statSync(join(out, 'bin/run')).mode & 0o777).toBe(0o755);
    expect(await readFile(join(out, 'index.html'), 'utf8')).toBe('hi');
    expect(await make(await zipped([{ name: 'index.html', content: Buffer.from('hi') }]), [known])).toBe(path);
    expect(await make(undefined, [known])).not.toBe(path);
  });

  const link = (name: string, to: string) => ({ name, content: Buffer.from(to), mode: 0o120777 });
  test.each<[why: string, parts: Parameters<typeof zipped>[0], message: RegExp]>([
    ['a link out of it', [link('out', '../../etc/passwd')], /points out of the package/],
    ['an absolute link', [link('out', '/etc/passwd')], /points out of the package/],
    ['a bomb', [{ name: 'a', content: Buffer.alloc(2_000_000) }], /larger than allowed/],
    [
      'too many entries',
      Array.from({ length: 30 }, (_none, at) => ({ name: `f${at}`, content: Buffer.alloc(0) })),
      /more entries than allowed/,
    ],
  ])('with %s is refused', async (_why, parts, message) => {
    const limits = { max_bytes: 1e7, max_unpacked_bytes: 1_000_000, max_entries: 20 };
    await expect(make(await zipped(parts), [], limits)).rejects.toMatchObject({
      code: expect.stringMatching(/^archive_(invalid|too_large)$/),
      message: expect.stringMatching(message),
    });
    expect(await readdir(join(dir, 'blobs/tmp'))).toEqual([]);
  });
  test('with a name that climbs is refused', async () => {
    const zip = await zipped([{ name: 'xx/evil', content: Buffer.from('x') }]);
    const climbing = Buffer.from(zip.toString('latin1').replaceAll('xx/evil', '../evil'), 'latin1');
    await expect(make(climbing)).rejects.toMatchObject({ code: 'archive_invalid' });
  });
  test.each(['../x', '/etc/x', '.', 'a/../../x'])('a known file called %s is refused', async (path) => {
    await make(await zipped([{ name: 'a', content: large }]));
    await expect(
      make(undefined, [{ path, mode: 0o644, sha1: sha('sha1', large), bytes: large.length }]),
    ).rejects.toMatchObject({ code: 'archive_invalid' });
  });
  test('a known file does not go through a link of the zip', async () => {
    await make(await zipped([{ name: 'a', content: large }]));
    const known = { path: 'd/x', mode: 0o644, sha1: sha('sha1', large), bytes: large.length };
    await expect(make(await zipped([link('d', '..')]), [known])).rejects.toMatchObject({ code: 'archive_invalid' });
  });
  test('a file that nobody knows is named', async () => {
    const known = { path: 'a', mode: 0o644, sha1: 'f'.repeat(40), bytes: 1 };
    await expect(make(undefined, [known])).rejects.toThrow(/the file a was not sent/);
  });
  test('what is kept of earlier ones is bounded; the oldest goes', async () => {
    for (const fill of ['a', 'b', 'c']) {
      await make(await zipped([{ name: 'f', content: Buffer.alloc(80_000, fill) }]));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const has = (fill: string): Promise<boolean> => resources.has(sha('sha1', Buffer.alloc(80_000, fill)), 80_000);
    expect([await has('a'), await has('b'), await has('c')]).toEqual([false, true, true]);
    const again = await openResourceCache(join(dir, 'resources'), 200_000);
    expect(await again.has(sha('sha1', Buffer.alloc(80_000, 'c')), 80_000)).toBe(true);
  });
});

describe('a droplet that is brought', () => {
  async function check(names: string[], size = 10): Promise<void> {
    const tar = pack();
    for (const name of names) tar.entry({ name }, Buffer.alloc(size));
    tar.finalize();
    const path = join(dir, 'droplet.tgz');
    await writeFile(path, gzipSync(await buffer(tar)));
    await checkDroplet(path, { max_unpacked_bytes: 100, max_entries: 3 }, never);
  }
  test('is fine', () => check(['./app/index.html', './staging_info.yml']));
  test.each<[string, string[], number]>([
    ['climbs', ['../evil'], 1],
    ['is absolute', ['/etc/evil'], 1],
    ['is a bomb', ['a', 'b'], 60],
    ['has too many entries', ['a', 'b', 'c', 'd'], 1],
    ['is empty', [], 1],
  ])('is refused when it %s', async (_why, names, size) => {
    await expect(check(names, size)).rejects.toMatchObject({ code: 'archive_invalid' });
  });
  test('is refused when it is none', async () => {
    await writeFile(join(dir, 'x'), 'no tar');
    await expect(checkDroplet(join(dir, 'x'), { max_unpacked_bytes: 9, max_entries: 9 }, never)).rejects.toMatchObject({
      code: 'archive_invalid',
    });
  });
});

describe('a form', () => {
  let server: Server;
  let read: Promise<Form>;
  let url: string;
  beforeEach(async () => {
    server = createServer((request, response) => {
      read = readForm(request, { folder: dir, max_bytes: 100, signal: never });
      read.then(
        () => response.end('ok'),
        () => response.writeHead(400).end('refused'),
      );
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });
  test('gives fields, and files on disk', async () => {
    const body = new FormData();
    body.set('resources', '[]');
    body.set('bits', new Blob(['zip']), '../../package.zip');
    await fetch(url, { method: 'POST', body });
    const { fields, files } = await read;
    expect(fields.get('resources')).toBe('[]');
    expect(await readFile(files.get('bits')?.path ?? '', 'utf8')).toBe('zip');
    expect(files.get('bits')?.path.startsWith(dir)).toBe(true);
  });
  test('too large a file is refused', async () => {
    const body = new FormData();
    body.set('bits', new Blob(['x'.repeat(200)]), 'a.zip');
    await fetch(url, { method: 'POST', body }).catch(() => undefined);
    await expect(read).rejects.toMatchObject({ status: 413 });
  });
  test('too many parts are refused', async () => {
    const body = new FormData();
    for (let at = 0; at < 5; at++) body.set(`f${at}`, new Blob(['x']), 'a');
    await fetch(url, { method: 'POST', body }).catch(() => undefined);
    await expect(read).rejects.toMatchObject({ status: 400 });
  });
  test('what is none is refused', async () => {
    await fetch(url, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } });
    await expect(read).rejects.toMatchObject({ status: 400 });
  });
});
