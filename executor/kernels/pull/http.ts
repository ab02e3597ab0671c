import { request, type Dispatcher } from 'undici';
import { messageOf, UnikError } from '../../../core/errors.js';
import { isLoopback } from './reference.js';

const IDLE_MS = 30_000;
const MAX_REDIRECTS = 5;

export interface Reply {
  status: number;
  header: (name: string) => string | undefined;
  body: Dispatcher.ResponseData['body'];
}

/**
 * One GET. Redirects are followed; the authorization goes to the first host only. Throws download_failed, whose message
 * names the host and never a header.
 */
export async function get(
  address: string,
  { headers, signal }: { headers: Record<string, string>; signal?: AbortSignal | undefined },
): Promise<Reply> {
  let url = new URL(address);
  const first = url.host;
  for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
    if (url.protocol !== 'https:' && !isLoopback(url.hostname)) throw failed(url, 'it leads to plain http');
    const { authorization, ...others } = headers;
    const sent = url.host === first && authorization !== undefined ? { ...others, authorization } : others;
    let reply: Dispatcher.ResponseData;
    try {
      reply = await request(url, {
        ...{ method: 'GET', headers: sent, headersTimeout: IDLE_MS, bodyTimeout: IDLE_MS },
        ...(signal ? { signal } : {}),
      });
    } catch (err) {
      signal?.throwIfAborted();
      throw failed(url, messageOf(err), err);
    }
    const header = (name: string): string | undefined => [reply.headers[name]].flat()[0];
    const location = header('location');
    if (reply.statusCode < 300 || reply.statusCode >= 400 || location === undefined) {
      return { status: reply.statusCode, header, body: reply.body };
    }
    await reply.body.dump();
    url = new URL(location, url);
  }
  throw failed(url, 'it leads around in a circle');
}

/** The body of a short reply. Throws download_failed beyond `max` bytes. */
export async function readAll(reply: Reply, max: number, what: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const part of reply.body) {
      parts.push(part as Buffer);
      bytes += (part as Buffer).length;
      if (bytes > max) throw new UnikError('download_failed', `${what} has more than ${max} bytes`);
    }
  } catch (err) {
    if (err instanceof UnikError) throw err;
    throw new UnikError('download_failed', `${what}: ${messageOf(err)}`, { cause: err });
  }
  return Buffer.concat(parts);
}

function failed({ host }: URL, why: string, cause?: unknown): UnikError {
  return new UnikError('download_failed', `${host}: ${why}`, cause === undefined ? {} : { cause });
}
