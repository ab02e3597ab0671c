/** Kernels from a real registry (Debian's docker-registry) on the loopback, and by plain HTTP with a digest. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, request, type IncomingMessage, type Server } from 'node:http';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { systemClock } from '../../../core/clock.js';
import { noLog } from '../../../core/log.js';
import { KernelCatalogue } from '../../../executor/kernels/catalogue.js';
import { parseReference } from '../../../executor/kernels/pull/reference.js';
import { pullKernel } from '../../../executor/kernels/pull/pull.js';
import { failure } from '../../support/failure.js';
import { compileKernel, scratch } from '../../support/guests.js';
import { freePort, until } from '../../support/unik.js';

const PROGRAM = ['/usr/bin/docker-registry', '/usr/local/bin/docker-registry'].find((path) => existsSync(path));
const USER = 'puller';
const PASSWORD = 's3cret-pass';
/** bcrypt, as the registry wants it. */
const HTPASSWD = `${USER}:$2y$05$abcdefghijklmnopqrstuuV7fpPozvyqJfnY19y0802WTlXUm6Rjy\n`;

const sha256 = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

if (!PROGRAM) console.warn('skipped: docker-registry is not installed (apt-get install docker-registry)');
const suite = PROGRAM ? describe : describe.skip;

suite('a real registry', () => {
  let folder: Awaited<ReturnType<typeof scratch>>;
  let registry: { kill: (signal: NodeJS.Signals) => boolean } & PromiseLike<unknown>;
  let front: Server;
  let kernel: Buffer;
  let indexDigest: string;
  let [registryPort, frontPort] = [0, 0];
  /** Cut the next blob after so many bytes. */
  let cutAfter: number | undefined;
  const ranges: (string | undefined)[] = [];

  const auth = `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString('base64')}`;
  const at = (name: string): string => join(folder.dir, name);

  beforeAll(async () => {
    folder = await scratch();
    kernel = Buffer.concat([
      await readFile(await compileKernel(folder.dir)),
      Buffer.from('0.16.3~abcdef0'),
      Buffer.alloc(2_000_000, 7),
    ]);
    registryPort = await freePort();
    await writeFile(at('htpasswd'), HTPASSWD);
    await mkdir(at('storage'));
    await writeFile(
      at('registry.yml'),
      JSON.stringify({
        version: 0.1,
        log: { level: 'error' },
        storage: { filesystem: { rootdirectory: at('storage') } },
        http: { addr: `127.0.0.1:${registryPort}` },
        auth: { htpasswd: { realm: 'test', path: at('htpasswd') } },
      }),
    );
    registry = execa(PROGRAM ?? '', ['serve', at('registry.yml')], { reject: false, stdio: 'ignore' });
    await until('the registry answers', () =>
      fetch(`http://127.0.0.1:${registryPort}/v2/`).then(
        ({ status }) => (status === 401 ? true : undefined),
        () => undefined,
      ),
    );
    indexDigest = await pushPackage();
    frontPort = await freePort();
    front = createServer((from, to) => {
      const upstream = request(
        {
          host: '127.0.0.1',
          port: registryPort,
          path: from.url,
          method: from.method,
          headers: { ...from.headers, host: `127.0.0.1:${registryPort}` },
        },
        (reply) => {
          to.writeHead(reply.statusCode ?? 500, reply.headers);
          if (from.url?.includes('/blobs/')) {
            ranges.push(from.headers.range);
            if (cutAfter !== undefined && reply.statusCode === 200) {
              cut(reply, to.socket, cutAfter);
              return;
            }
          }
          reply.pipe(to);
        },
      );
      from.pipe(upstream);
      const cut = (reply: IncomingMessage, socket: typeof to.socket, bytes: number): void => {
        cutAfter = undefined;
        reply.once('data', (part: Buffer) => to.write(part.subarray(0, bytes), () => socket?.destroy()));
      };
    }).listen(frontPort, '127.0.0.1');
  });
  afterAll(async () => {
    front.closeAllConnections();
    front.close();
    registry.kill('SIGKILL');
    await registry;
    await folder.remove();
  });

  /** A package as Unikraft's tool lays it out: an index, a manifest for each platform, one file in each layer. */
  async function pushPackage(): Promise<string> {
    const layer = await tarOf({
      '/unikraft/bin/kernel': kernel,
      '/../../escape': Buffer.from('no'),
      '/unikraft/bin/config': Buffer.from('CONFIG_LWIP_NUM_TCPCON=64\n'),
    });
    const packed = gzipSync(layer);
    const config = Buffer.from('{}');
    for (const blob of [packed, config]) await pushBlob(blob);
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: sha256(config), size: config.length },
        layers: [
          { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: sha256(packed), size: packed.length },
        ],
      }),
    );
    await push(`manifests/${sha256(manifest)}`, manifest, 'application/vnd.oci.image.manifest.v1+json');
    const platform = { os: 'qemu', architecture: 'x86_64', 'os.version': '0.16.3~abcdef0' };
    const descriptor = {
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest: sha256(manifest),
      size: manifest.length,
    };
    const index = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: 'application/vnd.oci.image.index.v1+json',
        manifests: [
          { ...descriptor, platform: { os: 'fc', architecture: 'x86_64' } },
          { ...descriptor, platform },
        ],
      }),
    );
    await push('manifests/latest', index, 'application/vnd.oci.image.index.v1+json');
    return sha256(index);
  }

  async function push(path: string, body: Buffer, type: string): Promise<void> {
    const address = `http://127.0.0.1:${registryPort}/v2/unikraft/base/${path}`;
    const reply = await fetch(address, {
      method: 'PUT',
      headers: { authorization: auth, 'content-type': type },
      body: new Uint8Array(body),
    });
    expect(reply.status).toBe(201);
  }

  async function pushBlob(blob: Buffer): Promise<void> {
    const address = `http://127.0.0.1:${registryPort}/v2/unikraft/base/blobs/uploads/`;
    const begun = await fetch(address, { method: 'POST', headers: { authorization: auth } });
    const place = new URL(begun.headers.get('location') ?? '', address);
    place.searchParams.set('digest', sha256(blob));
    const reply = await fetch(place, {
      method: 'PUT',
      headers: { authorization: auth, 'content-type': 'application/octet-stream' },
      body: new Uint8Array(blob),
    });
    expect(reply.status).toBe(201);
  }

  async function credentialsFile(name: string, content: unknown): Promise<string> {
    await writeFile(at(name), JSON.stringify(content), { mode: 0o600 });
    return at(name);
  }

  const host = (): string => `127.0.0.1:${frontPort}`;
  const pull = (home: string, more: { ref?: string; credentials: string; path?: string; digest?: string }) => {
    const catalogue = new KernelCatalogue({ dir: at(home), clock: systemClock, log: noLog });
    const { ref = `${host()}/unikraft/base:latest`, credentials, path = '/usr/bin:/bin', digest } = more;
    return pullKernel({
      ref,
      guest: 'unikraft',
      arch: 'x86_64',
      credentials,
      path,
      digest,
      work: at(`${home}-work`),
      catalogue,
    });
  };
  const byFile = () =>
    credentialsFile('docker.json', {
      auths: { [host()]: { auth: Buffer.from(`${USER}:${PASSWORD}`).toString('base64') } },
    });

  test('the package for our monitor becomes an entry; nothing is written outside', async () => {
    const entry = await pull('one', { credentials: await byFile() });
    expect(entry).toMatchObject({ guest: 'unikraft', version: '0.16.3~abcdef0', boot: 'multiboot' });
    expect(entry.origin).toMatch(/unikraft\/base:latest@sha256:/);
    expect(kernel.equals(await readFile(join(entry.dir, 'kernel')))).toBe(true);
    expect(await readFile(join(entry.dir, 'settings'), 'utf8')).toContain('TCPCON');
    expect(existsSync(at('escape'))).toBe(false);
    expect(await readdir(at('one-work'))).toEqual([]);
  });

  test('a cut download goes on from where it was', async () => {
    ranges.length = 0;
    cutAfter = 1_000;
    const entry = await pull('cut', { credentials: await byFile() });
    expect(kernel.equals(await readFile(join(entry.dir, 'kernel')))).toBe(true);
    expect(ranges.filter((range) => range !== undefined)).toEqual([expect.stringMatching(/^bytes=[1-9]\d*-$/)]);
  });

  test('a helper’s word counts before the file’s, and is asked for this registry', async () => {
    const helper = at('docker-credential-ours');
    await writeFile(
      helper,
      `#!/bin/sh\nread host\necho "$host" > ${at('asked')}\necho '{"Username":"${USER}","Secret":"${PASSWORD}"}'\n`,
    );
    await chmod(helper, 0o755);
    const credentials = await credentialsFile('helper.json', {
      credHelpers: { [host()]: 'ours' },
      auths: { [host()]: { auth: Buffer.from('wrong:wrong').toString('base64') } },
    });
    await pull('helper', { credentials, path: `${folder.dir}:/usr/bin:/bin` });
    expect((await readFile(at('asked'), 'utf8')).trim()).toBe(host());
  });

  test.each([
    ['none', {}, /asks who we are/],
    ['wrong', { password: 'not-the-secret' }, /does not let us have/],
  ])('with %s credentials it is refused, and no secret is in the words', async (name, of, named) => {
    const { password } = of as { password?: string };
    const auths =
      password === undefined ? {} : { [host()]: { auth: Buffer.from(`${USER}:${password}`).toString('base64') } };
    const refusal = await failure(async () =>
      pull(name, { credentials: await credentialsFile(`${name}.json`, { auths }) }),
    );
    expect(refusal.code).toBe('download_failed');
    expect(refusal.message).toMatch(named);
    expect(`${refusal.message} ${String(refusal.cause)}`).not.toMatch(/not-the-secret|s3cret/);
  });

  test('another digest than the one asked for is refused', async () => {
    const credentials = await byFile();
    const ref = `${host()}/unikraft/base:latest@${indexDigest}`;
    expect((await pull('pinned', { credentials, ref })).guest).toBe('unikraft');
    const wrong = `${host()}/unikraft/base@sha256:${'0'.repeat(64)}`;
    expect((await failure(() => pull('wrong-digest', { credentials, ref: wrong }))).message).toMatch(
      /status 404|not of the digest/,
    );
  });

  test('a blob that was changed on its way is refused, and nothing of it is kept', async () => {
    for (const name of await readdir(at('storage'), { recursive: true })) {
      const path = join(at('storage'), name);
      if (!name.endsWith('/data') || (await readFile(path)).length < 1_000) continue;
      const bytes = await readFile(path);
      if (bytes[0] !== 0x1f) continue;
      bytes[bytes.length - 20] = (bytes.at(-20) ?? 0) ^ 1;
      await writeFile(path, bytes);
    }
    const refusal = await failure(async () => pull('changed', { credentials: await byFile() }));
    expect(refusal.code).toBe('download_failed');
    expect(refusal.message).toMatch(/not of the digest|given up/);
    expect(existsSync(at('changed')) ? await readdir(at('changed')) : []).toEqual([]);
  });
});

describe('a file by its address', () => {
  test('is taken by its digest and refused by another', async () => {
    const folder = await scratch();
    const bytes = await readFile(await compileKernel(folder.dir));
    const server = createServer((_from, to) => to.end(bytes)).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    const catalogue = new KernelCatalogue({ dir: join(folder.dir, 'kernels'), clock: systemClock, log: noLog });
    const order = {
      ref: `http://127.0.0.1:${port}/kernel`,
      guest: 'unikraft',
      arch: 'x86_64',
      credentials: '/nonexistent',
      path: '',
      work: join(folder.dir, 'work'),
      catalogue,
    } as const;
    try {
      expect((await pullKernel({ ...order, digest: sha256(bytes) })).origin).toContain(sha256(bytes));
      const refusal = await failure(() => pullKernel({ ...order, digest: `sha256:${'1'.repeat(64)}` }));
      expect(refusal.message).toMatch(/not of the digest/);
    } finally {
      server.close();
      await folder.remove();
    }
  });

  test.each([
    ['https://example.org/kernel', undefined, /give its --digest/],
    ['http://example.org/kernel', `sha256:${'1'.repeat(64)}`, /plain http/],
    ['https://me:secret@example.org/kernel', `sha256:${'1'.repeat(64)}`, /password in it/],
    ['base:latest', undefined, /neither HOST/],
    ['unikraft.org/base', 'sha256:1', /is not sha256:/],
  ])('%s is refused', async (ref, digest, named) => {
    const refusal = await failure(() => parseReference(ref, digest));
    expect(refusal.code).toBe('bad_request');
    expect(refusal.message).toMatch(named);
    expect(refusal.message).not.toContain('secret');
  });

  test('a registry’s reference has its parts', () => {
    expect(parseReference('unikraft.org/base:0.19')).toEqual({
      kind: 'oci',
      registry: 'unikraft.org',
      repository: 'base',
      tag: '0.19',
    });
    expect(parseReference('localhost:5000/a/b')).toMatchObject({
      registry: 'localhost:5000',
      repository: 'a/b',
      tag: 'latest',
    });
  });
});

function tarOf(files: Record<string, Buffer>): Promise<Buffer> {
  const tar = pack();
  for (const [name, bytes] of Object.entries(files)) tar.entry({ name, size: bytes.length, mtime: new Date(0) }, bytes);
  tar.finalize();
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    tar.on('data', (part: unknown) => parts.push(part as Buffer));
    tar.on('end', () => resolve(Buffer.concat(parts)));
    tar.on('error', reject);
  });
}
