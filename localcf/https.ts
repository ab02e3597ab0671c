/** What the embedded servers share: HTTPS on a loopback port, with client certificates required. */
import { createServer } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { closeNow, listenOn, originOf } from '../core/listen.js';
import type { Identity } from '../backend/wire/bbs.js';

export interface HttpsListener {
  /** `https://host:port`. */
  url: string;
  close(): Promise<void>;
}

export interface HttpsOptions {
  tls: Identity;
  host?: string;
  /** 0: any free one. */
  port: number;
  handle: (request: IncomingMessage, response: ServerResponse) => void;
  /** Within which a request must have come whole. */
  request_ms?: number;
}

const LARGEST_BODY = 64 * 2 ** 20;

export async function listenHttps(options: HttpsOptions): Promise<HttpsListener> {
  const { tls, host = '127.0.0.1', port, handle, request_ms = 30_000 } = options;
  const server = createServer({ ...tls, requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.2' }, handle);
  // Clients keep connections open between heartbeats and bulk passes.
  server.keepAliveTimeout = 90_000;
  server.headersTimeout = 10_000;
  server.requestTimeout = request_ms;
  const bound = await listenOn(server, { host, port });
  return {
    url: originOf('https', { host, port: bound }),
    close: () => closeNow(server),
  };
}

/** The whole body; undefined when it is larger than any of ours. */
export async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LARGEST_BODY) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Undefined, so that a handler may end with it. */
export function answer(
  response: ServerResponse,
  status: number,
  body: Buffer | string,
  headers: Record<string, string> = {},
): undefined {
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

export const traceOf = ({ headers }: IncomingMessage): string => {
  const found = headers['x-vcap-request-id'];
  return typeof found === 'string' ? found : '';
};
