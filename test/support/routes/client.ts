/** A client that shows everything that came back, and sends whatever host name it is told. */
import { request, type Agent, type IncomingHttpHeaders } from 'node:http';

export interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  trailers: NodeJS.Dict<string>;
  body: string;
}

export interface Sending {
  method?: string;
  path?: string;
  headers?: Record<string, string | string[]>;
  body?: string | Buffer;
  agent?: Agent;
  timeout_ms?: number;
}

/** `host`: the name asked for, whatever the address of `url`. Rejects when no whole reply comes within 10 s. */
export function send(url: string, host: string, sending: Sending = {}): Promise<Reply> {
  const { method = 'GET', path = '/', headers = {}, body, agent, timeout_ms = 10_000 } = sending;
  return new Promise((resolve, reject) => {
    const options = { method, path, headers: { host, ...headers }, agent: agent ?? false, timeout: timeout_ms };
    const out = request(url, options, (reply) => {
      const chunks: Buffer[] = [];
      reply.on('data', (chunk: Buffer) => chunks.push(chunk));
      reply.once('error', reject);
      reply.once('end', () => {
        const { statusCode: status = 0, headers: got, trailers } = reply;
        resolve({ status, headers: got, trailers, body: Buffer.concat(chunks).toString() });
      });
    });
    out.once('timeout', () => out.destroy(new Error(`no reply within ${timeout_ms} ms`)));
    out.once('error', reject);
    out.end(body);
  });
}

/** Asks until the condition holds; its last result. Throws after 20 s. */
export async function until<T>(what: string, attempt: () => Promise<T | undefined | false>): Promise<T> {
  for (const deadline = Date.now() + 20_000; ;) {
    const value = await attempt();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > deadline) throw new Error(`not within 20 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
