/** Droplets for tests of the cell: built, packed and served as a blobstore would. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { buildBehave } from '../fixture-apps.js';
import type { Unik } from '../unik.js';
import type { Droplet } from './desired.js';

export interface Blobs {
  /** Serves the bytes under `/name`. */
  add(name: string, bytes: Buffer): Droplet;
  /** How often each path was asked for. */
  readonly asked: Map<string, number>;
  close(): void;
}

export async function serveBlobs(): Promise<Blobs> {
  const files = new Map<string, Buffer>();
  const asked = new Map<string, number>();
  const server = createServer((req, res) => {
    const path = req.url ?? '';
    asked.set(path, (asked.get(path) ?? 0) + 1);
    const bytes = files.get(path);
    if (!bytes) res.writeHead(404).end();
    else res.writeHead(200, { 'content-length': bytes.length }).end(bytes);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    asked,
    add(name, bytes) {
      files.set(`/${name}`, bytes);
      return { url: `http://127.0.0.1:${port}/${name}`, sha256: createHash('sha256').update(bytes).digest('hex') };
    },
    close: () => server.close(),
  };
}

/** The application that misbehaves when told to, as a droplet. */
export async function behaveDroplet(unik: Unik): Promise<Buffer> {
  await unik.ok(['build', buildBehave(join(unik.home, 'src/behave')), '-t', 'behave'], { timeout_ms: 300_000 });
  const file = join(unik.home, 'behave.droplet.tgz');
  await unik.ok(['image', 'droplet', 'behave', '-o', file]);
  return readFile(file);
}
