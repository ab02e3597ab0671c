/** Client of the BBS: protobuf over mutual TLS (code.cloudfoundry.org/bbs `client.go`). */
import { Pool } from 'undici';
import type { Clock } from '../../core/clock.js';
import { messageOf, UnikError } from '../../core/errors.js';
import type { Messages } from '../../protos/generated.js';
import { BBS_ROUTES, type BbsCall } from './bbs-routes.js';
import { decode, encode, type MessageName, type Sent } from './codec.js';

export type BbsErrorType = Messages['models.Error']['type'];

/** What the BBS itself answered, in a reply that arrived whole. Never repeated by the client. */
export class BbsError extends Error {
  override readonly name = 'BbsError';
  constructor(
    readonly type: BbsErrorType,
    message: string,
  ) {
    super(message);
  }
}

export type RequestOf<C extends BbsCall> = (typeof BBS_ROUTES)[C] extends { request: infer N extends MessageName }
  ? Sent<Messages[N]>
  : undefined;
export type ResponseOf<C extends BbsCall> = Messages[(typeof BBS_ROUTES)[C]['response']];

export interface CallOptions {
  /** `X-Vcap-Request-Id` of the request that caused this one. */
  trace?: string | undefined;
  signal?: AbortSignal | undefined;
}

export interface Bbs {
  /** Throws BbsError for what the BBS refuses, else peer_unreachable or bad_reply. */
  call<C extends BbsCall>(call: C, request: RequestOf<C>, options?: CallOptions): Promise<ResponseOf<C>>;
  close(): Promise<void>;
}

export interface Identity {
  /** PEM texts. */
  ca: string;
  cert: string;
  key: string;
}

export interface BbsOptions {
  /** `https://host:port`. */
  url: string;
  tls: Identity;
  clock: Clock;
  timeout_ms: number;
  /** Times a call is made before its failure is told; only for failures of the way, not for what the BBS answers. */
  attempts?: number;
  pause_ms?: number;
  /** A larger reply is refused. Default 256 MB. */
  max_reply_bytes?: number;
}

const MAX_REPLY = 256 * 2 ** 20;

export function createBbs(options: BbsOptions): Bbs {
  const { url, tls, clock, timeout_ms, attempts = 3, pause_ms = 500, max_reply_bytes = MAX_REPLY } = options;
  const pool = new Pool(url, {
    connections: 32,
    connect: { ...tls, timeout: timeout_ms },
    headersTimeout: timeout_ms,
    bodyTimeout: timeout_ms,
    maxResponseSize: max_reply_bytes,
  });

  async function once(path: string, body: Buffer, { trace, signal }: CallOptions): Promise<Buffer> {
    // By hand: a signal of AbortSignal.any would hang on the caller's for as long as that lives.
    const call = new AbortController();
    const giveUp = (): void => call.abort(signal?.reason);
    signal?.throwIfAborted();
    signal?.addEventListener('abort', giveUp, { once: true });
    const late = new AbortController();
    const limit = setTimeout(() => {
      late.abort();
      call.abort();
    }, timeout_ms);
    try {
      const reply = await pool.request({
        method: 'POST',
        path,
        body,
        headers: { 'content-type': 'application/x-protobuf', ...(trace ? { 'x-vcap-request-id': trace } : {}) },
        signal: call.signal,
      });
      const bytes = Buffer.from(await reply.body.arrayBuffer());
      if (reply.statusCode === 200) return bytes;
      throw new HttpStatus(reply.statusCode, `BBS ${url}${path}: status ${reply.statusCode}`);
    } catch (err) {
      signal?.throwIfAborted();
      if (err instanceof HttpStatus) throw err;
      const words = late.signal.aborted ? `no reply within ${timeout_ms} ms` : messageOf(err);
      throw new UnikError('peer_unreachable', `BBS ${url}${path}: ${words}`, { cause: err });
    } finally {
      clearTimeout(limit);
      signal?.removeEventListener('abort', giveUp);
    }
  }

  return {
    async call<C extends BbsCall>(call: C, request: RequestOf<C>, callOptions: CallOptions = {}) {
      const route: { path: string; request?: MessageName; response: MessageName } = BBS_ROUTES[call];
      const body = route.request ? encode(route.request, request as never) : Buffer.alloc(0);
      for (let attempt = 1; ; attempt++) {
        try {
          const reply = decode(route.response, await once(route.path, body, callOptions)) as ResponseOf<C>;
          const refusal = 'error' in reply ? reply.error : undefined;
          if (refusal) throw new BbsError(refusal.type, refusal.message);
          return reply;
        } catch (err) {
          callOptions.signal?.throwIfAborted();
          const final = err instanceof BbsError || (err instanceof HttpStatus && err.status === 404);
          if (final || attempt >= attempts) throw err;
          await clock.sleep(pause_ms, callOptions.signal);
        }
      }
    },
    close: () => pool.destroy(),
  };
}

/** The BBS, or what stands in its place, answered with another status than 200. */
export class HttpStatus extends UnikError {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super('bad_reply', message);
  }
}
