import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import { Agent, EnvHttpProxyAgent, request, type Dispatcher } from 'undici';
import { messageOf, UnikError } from '../../core/errors.js';

export interface Reply {
  status: number;
  text: string;
}

export interface Asked {
  method?: 'GET' | 'PATCH';
  headers?: Readonly<Record<string, string>>;
  body?: unknown;
}

export type Ask = (url: string, asked?: Asked) => Promise<Reply>;

const TIMEOUT_MS = 30_000;
const MAX_REPLY = 64 << 20;
const DEBIAN_CAS = '/etc/ssl/certs/ca-certificates.crt';

/**
 * HTTP as the CLI itself does it: through the proxy of the environment except to loopback, trusting what the system
 * trusts (or `$SSL_CERT_FILE`), or anybody after `--skip-ssl-validation`. `ask` throws peer_unreachable, bad_reply.
 */
export function transport(options: { skipTlsChecks: boolean; env: NodeJS.ProcessEnv }): {
  ask: Ask;
  close: () => Promise<void>;
} {
  const tls = { rejectUnauthorized: !options.skipTlsChecks, ca: [...rootCertificates, ...systemRoots(options.env)] };
  const direct = new Agent({ connect: tls });
  const proxied = new EnvHttpProxyAgent({ connect: tls, requestTls: tls });
  const ask: Ask = async (url, asked = {}) => {
    const through = isLoopback(new URL(url).hostname) ? direct : proxied;
    try {
      return await send(url, asked, through);
    } catch (err) {
      if (err instanceof UnikError) throw err;
      throw new UnikError('peer_unreachable', `${new URL(url).origin}: ${reason(err)}`, { cause: err });
    }
  };
  const close = async (): Promise<void> => {
    await Promise.all([direct.close(), proxied.close()]);
  };
  return { ask, close };
}

async function send(url: string, asked: Asked, dispatcher: Dispatcher): Promise<Reply> {
  const body = asked.body === undefined ? {} : { body: JSON.stringify(asked.body) };
  const reply = await request(url, {
    method: asked.method ?? 'GET',
    headers: {
      accept: 'application/json',
      ...(asked.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...asked.headers,
    },
    signal: AbortSignal.timeout(TIMEOUT_MS),
    dispatcher,
    ...body,
  });
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of reply.body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_REPLY) throw new UnikError('bad_reply', `${new URL(url).origin} sent more than ${MAX_REPLY} bytes`);
    chunks.push(chunk);
  }
  return { status: reply.statusCode, text: Buffer.concat(chunks).toString() };
}

/** What the system trusts beyond Node's own list; where there is no such file, that list alone holds. */
function systemRoots(env: NodeJS.ProcessEnv): string[] {
  const named = env['SSL_CERT_FILE'];
  try {
    return [readFileSync(named ?? DEBIAN_CAS, 'utf8')];
  } catch (err) {
    if (named === undefined) return [];
    throw new UnikError('config_invalid', `SSL_CERT_FILE: ${messageOf(err)}`, { cause: err });
  }
}

const isLoopback = (host: string): boolean => host === 'localhost' || host === '[::1]' || /^127\./.test(host);

/** A connection that failed to every address of a host has its reasons inside. */
function reason(err: unknown): string {
  if (err instanceof AggregateError && err.errors.length > 0) return messageOf(err.errors[0]);
  return messageOf(err);
}
