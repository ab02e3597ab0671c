/** What stands around staging: a store that gives application bits, lifecycles and buildpacks, and takes uploads. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

export interface Upload {
  path: string;
  headers: IncomingHttpHeaders;
  bytes: Buffer;
}

/** Something to download. */
export interface Blob {
  url: string;
  sha256: string;
}

export interface Origin {
  url: string;
  /** Serves the bytes under `/name`; gives their address and checksum. */
  add(name: string, bytes: Buffer): Blob;
  /** GETs by path. */
  readonly asked: Map<string, number>;
  readonly uploads: Upload[];
  /** Uploads to this path are answered with this status. */
  readonly refuse: Map<string, number>;
  close(): void;
}

export async function startOrigin(): Promise<Origin> {
  const files = new Map<string, Buffer>();
  const asked = new Map<string, number>();
  const uploads: Upload[] = [];
  const refuse = new Map<string, number>();
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    if (request.method === 'POST') {
      void buffer(request).then((bytes) => {
        uploads.push({ path, headers: request.headers, bytes });
        response.writeHead(refuse.get(path.split('?')[0] ?? '') ?? 201).end();
      });
      return;
    }
    asked.set(path, (asked.get(path) ?? 0) + 1);
    const bytes = files.get(path);
    if (bytes) response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
    else response.writeHead(404).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    ...{ url, asked, uploads, refuse },
    add(name, bytes) {
      files.set(`/${name}`, bytes);
      return { url: `${url}/${name}`, sha256: createHash('sha256').update(bytes).digest('hex') };
    },
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
