/** Kernels, manifests and packages with bytes changed at random: read, or refused with a code; never more, never long. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { isMultiboot } from '../../../executor/guests/multiboot/header.js';
import { diskHead } from '../../../executor/guests/nanos/head.js';
import { readSolo5 } from '../../../executor/guests/solo5/manifest.js';
import { unpackLayer } from '../../../executor/kernels/pull/unpack.js';
import { fuzz, FUZZ_MS } from '../../support/fuzz.js';
import { scratch } from '../../support/guests.js';
import { solo5Program } from '../../support/solo5.js';

let folder: Awaited<ReturnType<typeof scratch>>;
beforeAll(async () => {
  folder = await scratch();
});
afterAll(() => folder.remove());

test(
  'a Solo5 manifest',
  async () => {
    const good = solo5Program('virtio', [{ name: 'service', kind: 'net' }]);
    expect(readSolo5(good)).toEqual({ target: 'virtio', abi: 1, devices: [{ name: 'service', kind: 'net' }] });
    await fuzz('Solo5 manifest', good, readSolo5);
  },
  FUZZ_MS,
);

test(
  'a multiboot header',
  async () => {
    const good = Buffer.alloc(4_096);
    good.writeUInt32LE(0x1badb002, 64);
    good.writeUInt32LE(0xe4524ffe, 72);
    expect(isMultiboot(good)).toBe(true);
    await fuzz('multiboot header', good, isMultiboot);
  },
  FUZZ_MS,
);

test(
  'a boot blob',
  async () => {
    const blob = Buffer.alloc(4_096);
    blob.writeBigUInt64LE(3_584n, 434);
    blob.writeUInt32LE(12, 442);
    blob.set([0x55, 0xaa], 510);
    await fuzz('boot blob', blob, (bytes) => diskHead(bytes, Buffer.from('kernel'), join(folder.dir, 'head')));
    expect(existsSync(join(folder.dir, 'head'))).toBe(false);
  },
  FUZZ_MS,
);

test.each([false, true])(
  'a layer of a package, gzipped: %s; nothing is written but what is known',
  async (gzip) => {
    const tar = pack();
    tar.entry({ name: '/unikraft/bin/kernel' }, 'kernel');
    tar.entry({ name: '/../../outside' }, 'no');
    tar.entry({ name: 'unikraft/bin/kernel', type: 'symlink', linkname: '/etc/passwd' });
    tar.finalize();
    const parts: Buffer[] = [];
    for await (const part of tar) parts.push(part as Buffer);
    const layer = gzip ? gzipSync(Buffer.concat(parts)) : Buffer.concat(parts);
    const dir = join(folder.dir, `layer-${String(gzip)}`);
    await mkdir(dir);
    const file = join(folder.dir, 'layer');
    const read = async (bytes: Buffer): Promise<void> => {
      await writeFile(file, bytes);
      await unpackLayer(file, { gzip, dir });
    };
    await read(layer);
    expect(readFileSync(join(dir, 'kernel'), 'utf8')).toBe('kernel');
    await fuzz(`layer${gzip ? ', gzipped' : ''}`, layer, read);
    for (const name of await readdir(dir)) expect(['kernel', 'config']).toContain(name);
    expect((await readdir(folder.dir)).filter((name) => /outside/.test(name))).toEqual([]);
  },
  FUZZ_MS,
);
