import type { Server as HttpServer } from 'node:http';
import type { AddressInfo, Server, Socket } from 'node:net';
import { messageOf, UnikError, type ErrorCode } from './errors.js';

interface Place {
  host: string;
  /** 0: any free one. */
  port: number;
}

/** Gives the port that it listens on. Throws `code` naming the place, and the key of a configuration that gave it. */
export async function listenOn(
  server: Server,
  { host, port }: Place,
  { key, code = 'config_invalid' }: { key?: string; code?: ErrorCode } = {},
): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (err) => {
      const what = `${key === undefined ? '' : `${key}: `}cannot listen on ${host}:${port}`;
      reject(new UnikError(code, `${what}: ${messageOf(err)}`, { cause: err }));
    });
    server.listen({ host, port }, resolve);
  });
  return (server.address() as AddressInfo).port;
}

/** An origin: `http://[::1]:8080`. */
export function originOf(scheme: 'http' | 'https', { host, port }: Place): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Ends at once, whoever is being answered: followers of logs would keep it open for ever. */
export function closeNow(server: HttpServer): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    // Who is still shaking hands is none of its connections yet: it would be served, and hold it open.
    server.on('secureConnection', (socket: Socket) => socket.destroy());
    server.closeAllConnections();
  });
}
