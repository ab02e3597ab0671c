import { once } from 'node:events';
import { createServer } from 'node:https';
import type { IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Identity } from '../../../backend/wire/bbs.js';
import { Journal } from './journal.js';

export interface Callback {
  at: number;
  path: string;
  headers: IncomingHttpHeaders;
  body: Record<string, unknown>;
  text: string;
}

/** What stands behind `completion_callback_url`: writes callbacks down and answers as told by path. */
export interface CallbackSink {
  /** The url to give; statuses are answered in turn, the last one ever after. */
  url(name: string, ...statuses: readonly number[]): string;
  of(name: string): Callback[];
  wait(name: string, ms: number, count?: number): Promise<Callback[]>;
  close(): Promise<void>;
}

export async function listenForCallbacks(tls: Identity): Promise<CallbackSink> {
  const seen = new Journal<Callback>();
  const scripts = new Map<string, number[]>();
  const server = createServer({ ...tls, requestCert: true, rejectUnauthorized: true }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      const path = request.url ?? '';
      const body = JSON.parse(text) as Record<string, unknown>;
      const script = scripts.get(path) ?? [200];
      const status = script.length > 1 ? script.shift() : script[0];
      seen.add({ at: Date.now(), path, headers: request.headers, body, text });
      response.writeHead(status ?? 200).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const is = (name: string) => (callback: Callback) => callback.path === `/${name}`;
  return {
    url: (name, ...statuses) => {
      scripts.set(`/${name}`, statuses.length > 0 ? [...statuses] : [200]);
      return `https://127.0.0.1:${port}/${name}`;
    },
    of: (name) => seen.filter(is(name)),
    wait: (name, ms, count = 1) => seen.wait(`callback ${name}`, ms, is(name), count),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
