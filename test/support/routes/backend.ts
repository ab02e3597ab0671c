/** Instances for routers: small servers on loopback. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTcp, type AddressInfo, type Socket } from 'node:net';
import { WebSocketServer } from 'ws';
import type { Registration } from '../../../backend/wire/registration.js';

export const APP = '6f0c3a54-96c8-4d7a-9d1b-0f4f4e0c2a11';

export interface Backend {
  port: number;
  /** What it was asked, newest last. */
  seen: { method: string; url: string; headers: IncomingMessage['headers']; raw: string[]; body: string }[];
  server: Server;
  /** Ends it and its connections. */
  close(): Promise<void>;
}

/** Says its name, unless `answer` says something else. WebSockets echo. */
export async function startBackend(name: string, answer?: RequestListener): Promise<Backend> {
  const seen: Backend['seen'] = [];
  const server = createServer((asked, reply) => {
    const chunks: Buffer[] = [];
    const note = { method: asked.method ?? '', url: asked.url ?? '', headers: asked.headers, raw: asked.rawHeaders };
    if (answer) {
      seen.push({ ...note, body: '' });
      answer(asked, reply);
      return;
    }
    asked.on('data', (chunk: Buffer) => chunks.push(chunk));
    asked.once('end', () => {
      seen.push({ ...note, body: Buffer.concat(chunks).toString() });
      reply.end(name);
    });
  }).listen(0, '127.0.0.1');
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    server,
    close: async () => {
      sockets.close();
      for (const client of sockets.clients) client.terminate();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Accepts, and does with the connection what `meet` says: what no HTTP server would. */
export async function startRude(meet: (socket: Socket) => void): Promise<{ port: number; close(): Promise<void> }> {
  const open = new Set<Socket>();
  const server = createTcp((socket) => {
    open.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => open.delete(socket));
    meet(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A port at which nobody listens. */
export async function deafPort(): Promise<number> {
  const rude = await startRude(() => undefined);
  await rude.close();
  return rude.port;
}

export function registration(uri: string, port: number, index = 0, more: Registration = {}): Registration {
  return {
    ...{ host: '127.0.0.1', port, uris: [uri], app: APP },
    ...{ private_instance_id: `instance-${index}`, private_instance_index: String(index), tags: { component: 'test' } },
    ...more,
  };
}
