/** Records and documents with bytes changed at random: read, or refused with a code; never more, never long. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../../core/clock.js';
import { noLog } from '../../../core/log.js';
import { parseControl } from '../../../executor/guests/linux/control.js';
import { ImageStore } from '../../../executor/images/store.js';
import { KernelCatalogue } from '../../../executor/kernels/catalogue.js';
import { credentialsFor } from '../../../executor/kernels/pull/credentials.js';
import { parseReference } from '../../../executor/kernels/pull/reference.js';
import { Registry } from '../../../executor/kernels/pull/registry.js';
import { buildImage } from '../../../stager/build.js';
import { chooseGuest } from '../../../stager/suitability/guest.js';
import { fuzz, FUZZ_MS } from '../../support/fuzz.js';
import { compileKernel, scratch } from '../../support/guests.js';

let folder: Awaited<ReturnType<typeof scratch>>;
beforeAll(async () => {
  folder = await scratch();
});
afterAll(() => folder.remove());

test(
  'image.json',
  async () => {
    const store = new ImageStore(join(folder.dir, 'images'));
    const order = { store, work: join(folder.dir, 'work'), progress: () => undefined, env: process.env };
    const source = await compileKernel(folder.dir);
    const { digest, dir } = await buildImage({ ...order, source, guest: chooseGuest('multiboot', undefined) });
    const file = join(dir, 'image.json');
    chmodSync(dir, 0o755);
    chmodSync(file, 0o644);
    await fuzz('image.json', readFileSync(file), async (bytes) => {
      writeFileSync(file, bytes);
      const image = await store.get(digest);
      // What is read leads nowhere else.
      expect(join(image.dir, image.root.file)).toMatch(new RegExp(`^${image.dir}/[^/]+$`));
    });
  },
  FUZZ_MS,
);

test(
  'records of the catalogue',
  async () => {
    const catalogue = new KernelCatalogue({ dir: join(folder.dir, 'kernels'), clock: systemClock, log: noLog });
    const kernel = await compileKernel(folder.dir);
    const { id, dir } = await catalogue.importGuest(kernel, { guest: 'unikraft', arch: 'x86_64' });
    await catalogue.noteLimits(id, { schema: 1, probed: 'now', boots: true, variables: { count: 8, atLeast: false } });
    chmodSync(dir, 0o755);
    for (const name of ['kernel.json', 'limits.json']) {
      const file = join(dir, name);
      const good = readFileSync(file);
      chmodSync(file, 0o644);
      await fuzz(name, good, async (bytes) => {
        writeFileSync(file, bytes);
        for (const entry of await catalogue.list()) {
          for (const each of Object.values(entry.files)) expect(each).not.toMatch(/[/\0]/);
        }
        await catalogue.verify(id);
      });
      writeFileSync(file, good);
    }
  },
  2 * FUZZ_MS,
);

test(
  'documents of a registry',
  async () => {
    let document: Uint8Array = Buffer.alloc(0);
    const server: Server = createServer((_request, reply) => reply.end(document));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const ref = parseReference(`127.0.0.1:${port}/base:latest`);
    if (ref.kind !== 'oci') throw new Error('not a reference of a registry');
    const digest = `sha256:${'0'.repeat(64)}`;
    const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, size: 10 };
    const manifest = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.manifest.v1+json', layers: [layer] };
    const platform = { os: 'qemu', architecture: 'x86_64', 'os.features': ['CONFIG_X=y'] };
    const index = {
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.index.v1+json',
      manifests: [{ ...layer, platform: { ...platform, os: 'xen' } }],
    };
    const want = { os: 'qemu', architecture: 'x86_64' };
    const read = async (bytes: Buffer): Promise<void> => {
      document = bytes;
      await new Registry(ref, () => Promise.resolve(undefined)).manifest(want);
    };
    try {
      await fuzz('OCI manifest', Buffer.from(JSON.stringify(manifest)), read);
      await fuzz('OCI index', Buffer.from(JSON.stringify(index)), (bytes) =>
        read(bytes).catch((err: unknown) => {
          // The index as it is has no kernel for us.
          if (!/has no kernel for/.test(String(err))) throw err;
        }),
      );
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  },
  2 * FUZZ_MS,
);

test(
  'references and credentials',
  async () => {
    await fuzz('reference', Buffer.from('registry.example.org:5000/unikraft/base:latest'), (bytes) =>
      parseReference(bytes.toString()),
    );
    const file = join(folder.dir, 'config.json');
    const auth = Buffer.from('me:secret').toString('base64');
    await fuzz('credentials', Buffer.from(JSON.stringify({ auths: { 'r.example.org': { auth } } })), (bytes) => {
      writeFileSync(file, bytes);
      return credentialsFor('r.example.org', file, '/nonexistent');
    });
  },
  2 * FUZZ_MS,
);

test(
  'what a guest says of itself',
  async () => {
    const lines = ['{"event":"started"}', '{"event":"exit","code":7,"signal":0}', '{"event":"result","base64":"aGk="}'];
    await fuzz('control events', Buffer.from(lines.join('\n')), (bytes) => parseControl(bytes.toString()));
  },
  FUZZ_MS,
);
