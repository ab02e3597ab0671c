import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { gunzipSync, gzipSync } from 'node:zlib';
import { composeImage } from '../../../executor/images/compose.js';
import { packDroplet, unpackDroplet } from '../../../executor/images/droplet.js';
import { ImageStore, type StoredImage } from '../../../executor/images/store.js';
import { RootTree } from '../../../executor/images/tree.js';
import { failure } from '../../support/failure.js';

let work: string;
let store: ImageStore;
beforeEach(() => {
  work = fs.mkdtempSync(join(tmpdir(), 'unik-store-'));
  store = new ImageStore(join(work, 'images'));
});
afterEach(() => fs.rmSync(work, { recursive: true, force: true }));

function make(text = 'hello', into = store): Promise<StoredImage> {
  const tree = new RootTree();
  tree.file('/home/vcap/app/file', text);
  return composeImage(
    tree,
    {
      guest: 'linux',
      abi: 'linux-virtio-1',
      arch: 'x86_64',
      processes: { web: { argv: ['/bin/x', 'a b', '$PORT'], cwd: '/', expand: true } },
      env: {},
      ports: [8080],
      volumes: [],
      findings: [],
      created: new Date().toISOString(),
      labels: { made: String(Math.random()) },
    },
    into,
  );
}

const entries = (): string[] => fs.readdirSync(join(work, 'images')).sort();
const rootOf = (image: StoredImage): string => join(image.dir, image.root.file);

describe('ImageStore', () => {
  test('an image lies in a folder of its digest, readable by all and writable by none', async () => {
    const image = await make();
    expect(image.dir).toBe(join(work, 'images', image.digest.slice(7)));
    expect(fs.statSync(rootOf(image)).mode & 0o777).toBe(0o444);
    expect(fs.statSync(image.dir).mode & 0o777).toBe(0o755);
    expect(entries()).toEqual([image.digest.slice(7)]);
  });

  test('the same content is one image, whenever it was made and however labelled', async () => {
    const [first, second] = [await make(), await make()];
    expect(second).toEqual(first);
    expect((await make('other')).digest).not.toBe(first.digest);
  });

  test('is found by name, tag, digest and a start of it', async () => {
    const image = await make();
    await store.tag('hello', image.digest);
    await store.tag('hello:1', image.digest);
    const hex = image.digest.slice(7);
    for (const ref of [
      'hello',
      'hello:latest',
      'hello:1',
      image.digest,
      hex,
      hex.slice(0, 6),
      `sha256:${hex.slice(0, 12)}`,
    ]) {
      expect((await store.get(ref)).digest).toBe(image.digest);
    }
    for (const ref of ['other', 'hello:2', hex.slice(0, 5), 'ffffffffffff', '../images', '']) {
      expect((await failure(() => store.get(ref))).code).toBe('image_missing');
    }
    expect(await store.list()).toMatchObject([{ digest: image.digest, names: ['hello:1', 'hello:latest'] }]);
  });

  test('a start that fits two images is refused', async () => {
    for (const last of ['0', '1'])
      fs.mkdirSync(join(work, 'images', `abcdef${'0'.repeat(57)}${last}`), { recursive: true });
    expect((await failure(() => store.get('abcdef'))).code).toBe('name_ambiguous');
  });

  test('names made side by side all stay', async () => {
    const image = await make();
    await Promise.all(Array.from({ length: 20 }, (_, i) => store.tag(`name-${i}`, image.digest)));
    expect(await store.names(image.digest)).toHaveLength(20);
  });

  test('a truncated root is found out at once, a changed one by verify', async () => {
    const image = await make();
    await store.verify(image.digest);
    const root = rootOf(image);
    const bytes = fs.readFileSync(root);
    fs.chmodSync(root, 0o600);
    fs.truncateSync(root, 4096);
    expect((await failure(() => store.get(image.digest))).code).toBe('image_truncated');
    expect(await store.list()).toEqual([]);
    const broken: string[] = [];
    await store.list((digest, err) => broken.push(`${digest} ${err.code}`));
    expect(broken).toEqual([`${image.digest} image_truncated`]);

    bytes[5000] = (bytes[5000] ?? 0) ^ 1;
    fs.writeFileSync(root, bytes);
    await store.get(image.digest);
    expect((await failure(() => store.verify(image.digest))).code).toBe('image_digest_mismatch');

    fs.rmSync(root);
    expect((await failure(() => store.get(image.digest))).code).toBe('image_truncated');
    expect(await make()).toMatchObject({ digest: image.digest });
    await store.verify(image.digest);
  });

  test.each<[why: string, text: (json: string) => string, code: string]>([
    ['no JSON', () => '{', 'image_invalid'],
    ['another shape', (json) => json.replace('"guest"', '"ghost"'), 'image_invalid'],
    ['a root outside', (json) => json.replace('root.erofs', '../root.erofs'), 'image_invalid'],
    ['another digest', (json) => json.replace(/sha256:./, 'sha256:_').replace('_', '0'), 'image_digest_mismatch'],
  ])('image.json with %s is refused', async (_why, change, code) => {
    // A digest that does not start with the character that the last row writes.
    let image = await make('1');
    for (let i = 2; image.digest.startsWith('sha256:0'); i++) image = await make(String(i));
    const path = join(image.dir, 'image.json');
    const text = fs.readFileSync(path, 'utf8');
    fs.rmSync(path);
    fs.writeFileSync(path, change(text));
    expect((await failure(() => store.get(image.digest))).code).toBe(code);
    expect((await store.remove(image.digest)).deleted).toBe(image.digest);
  });

  test('removing takes the name first, and the image with its last name', async () => {
    const image = await make();
    await store.tag('a', image.digest);
    await store.tag('b', image.digest);
    expect((await failure(() => store.remove(image.digest))).code).toBe('conflict');
    expect(await store.remove('a')).toEqual({ untagged: ['a:latest'] });
    const inUse = (): boolean => true;
    expect((await failure(() => store.remove('b', { inUse }))).code).toBe('image_in_use');
    expect(await store.remove('b', { inUse, force: true })).toEqual({ untagged: ['b:latest'], deleted: image.digest });
    expect(entries()).toEqual(['names.json']);
    expect((await failure(() => store.remove('b'))).code).toBe('image_missing');
  });

  test('what fails leaves nothing, and what a dead process left is swept', async () => {
    await expect(
      store.prepare(async (dir) => {
        fs.writeFileSync(join(dir, 'half'), 'x');
        throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
      }),
    ).rejects.toMatchObject({ code: 'disk_full' });
    expect(entries()).toEqual([]);

    fs.mkdirSync(join(work, 'images/.tmp-999999-1-abc'));
    await store.prepare(async () => {
      expect(await store.sweep()).toBe(1);
      expect(entries()).toHaveLength(1);
    });
    expect(entries()).toEqual([]);
  });

  test('a full disk is said so, and nothing half-made remains', async () => {
    const small = join(work, 'small');
    fs.mkdirSync(small);
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'none', small]);
    if (mounted.status !== 0) {
      console.log(`skipped: a small disk needs root: ${mounted.stderr.toString().trim()}`);
      return;
    }
    try {
      const full = new ImageStore(join(small, 'images'));
      expect((await failure(() => make('x'.repeat(1_000_000), full))).code).toBe('disk_full');
      expect(fs.readdirSync(join(small, 'images'))).toEqual([]);
      expect((await make('small', full)).root.bytes).toBeGreaterThan(0);
    } finally {
      spawnSync('umount', [small]);
    }
  });
});

describe('droplets', () => {
  async function packed(image: StoredImage): Promise<Buffer> {
    const out = new PassThrough();
    const chunks: Buffer[] = [];
    out.on('data', (chunk: Buffer) => chunks.push(chunk));
    await packDroplet(image, out);
    return Buffer.concat(chunks);
  }

  const other = (): ImageStore => new ImageStore(join(work, 'other'));

  test('a droplet gives the same image on another cell, and the same bytes each time', async () => {
    const image = await make();
    const droplet = await packed(image);
    expect(await packed(image)).toEqual(droplet);
    const taken = await unpackDroplet(Readable.from([droplet]), other());
    expect({ ...taken, dir: '' }).toEqual({ ...image, dir: '' });
    expect(fs.readFileSync(rootOf(taken))).toEqual(fs.readFileSync(rootOf(image)));
    await other().verify(taken.digest);
    const tar = gunzipSync(droplet).toString('latin1');
    expect(tar).toContain(JSON.stringify({ detected_buildpack: 'UniK', start_command: `/bin/x "a b" $PORT` }));
  });

  test('the image is found where a classic buildpack leaves it', async () => {
    const image = await make();
    const dir = join(work, 'droplet');
    fs.mkdirSync(join(dir, 'deps/0/unik'), { recursive: true });
    fs.mkdirSync(join(dir, 'app'));
    fs.writeFileSync(join(dir, 'app/image.json'), 'not this one');
    fs.cpSync(image.dir, join(dir, 'deps/0/unik/image'), { recursive: true });
    const made = spawnSync('tar', ['-C', dir, '-czf', '-', '.'], { maxBuffer: 1e8 });
    expect((await unpackDroplet(Readable.from([made.stdout]), other())).digest).toBe(image.digest);
  });

  test.each<[why: string, change: (droplet: Buffer) => Buffer, code: string]>([
    ['cut short', (droplet) => droplet.subarray(0, droplet.length - 100), 'image_truncated'],
    ['no gzip', () => Buffer.from('nothing of the kind'), 'image_truncated'],
    ['no image', () => gzipSync(Buffer.alloc(1024)), 'image_invalid'],
    [
      'a changed root',
      (droplet) => {
        const tar = gunzipSync(droplet);
        tar.write('HELLO', tar.lastIndexOf('hello'));
        return gzipSync(tar);
      },
      'image_digest_mismatch',
    ],
  ])('a droplet with %s is refused and leaves nothing', async (_why, change, code) => {
    const droplet = await packed(await make());
    expect((await failure(() => unpackDroplet(Readable.from([change(droplet)]), other()))).code).toBe(code);
    expect(fs.readdirSync(join(work, 'other'))).toEqual([]);
  });
});
