/** Client of Locket: gRPC over mutual TLS (code.cloudfoundry.org/locket `models/locket.proto`, `locket_client.go`). */
import { Client, credentials, Metadata, status, type ServiceError } from '@grpc/grpc-js';
import { UnikError } from '../../core/errors.js';
import type { TlsIdentity } from '../../core/tls.js';
import type { Messages } from '../../protos/generated.js';
import { decode, encode, type MessageName, type Sent } from './codec.js';

/** What Locket itself answered. */
export class LocketRefusal extends Error {
  override readonly name = 'LocketRefusal';
  constructor(
    readonly kind: 'collision' | 'not_found' | 'invalid' | 'other',
    message: string,
  ) {
    super(message);
  }
}

export type Resource = Sent<Messages['models.Resource']> & { key: string; owner: string };

/** Throws LocketRefusal for what Locket refuses, else peer_unreachable, also when no reply came in time. */
export interface Locket {
  /** Takes or renews. */
  lock(resource: Resource, ttl_s: number): Promise<void>;
  /** Gives up; absent already is no failure. */
  release(resource: Pick<Resource, 'key' | 'owner'>): Promise<void>;
  fetch(key: string): Promise<Messages['models.Resource'] | undefined>;
  close(): void;
}

export interface LocketOptions {
  /** `host:port`. */
  address: string;
  tls: TlsIdentity;
  /** Of one call, its wait for a connection included. */
  timeout_ms: number;
  keepalive_time_ms: number;
  keepalive_timeout_ms: number;
}

export function createLocket({ address, tls, timeout_ms, ...keepalive }: LocketOptions): Locket {
  const client = new Client(
    address,
    credentials.createSsl(Buffer.from(tls.ca), Buffer.from(tls.key), Buffer.from(tls.cert)),
    {
      'grpc.keepalive_time_ms': keepalive.keepalive_time_ms,
      'grpc.keepalive_timeout_ms': keepalive.keepalive_timeout_ms,
      // A Locket that is back must see the cell before its row lapses.
      'grpc.initial_reconnect_backoff_ms': 500,
      'grpc.max_reconnect_backoff_ms': 2_000,
      'grpc.use_local_subchannel_pool': 1,
    },
  );

  function call<Q extends MessageName, R extends MessageName>(
    method: string,
    request: { name: Q; value: Sent<Messages[Q]> },
    response: R,
  ): Promise<Messages[R]> {
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        `/models.Locket/${method}`,
        (value: Sent<Messages[Q]>) => encode(request.name, value),
        (bytes: Buffer) => decode(response, bytes),
        request.value,
        new Metadata({ waitForReady: true }),
        { deadline: Date.now() + timeout_ms },
        (err, reply) => {
          if (err) reject(translate(err, `Locket ${address} ${method}`));
          else if (reply === undefined) reject(new UnikError('bad_reply', `Locket ${address} ${method}: empty reply`));
          else resolve(reply);
        },
      );
    });
  }

  return {
    async lock(resource, ttl_s) {
      const value = { resource, ttl_in_seconds: BigInt(ttl_s) };
      await call('Lock', { name: 'models.LockRequest', value }, 'models.LockResponse');
    },
    async release({ key, owner }) {
      const value = { resource: { key, owner } };
      await call('Release', { name: 'models.ReleaseRequest', value }, 'models.ReleaseResponse');
    },
    async fetch(key) {
      try {
        const reply = await call('Fetch', { name: 'models.FetchRequest', value: { key } }, 'models.FetchResponse');
        return reply.resource;
      } catch (err) {
        if (err instanceof LocketRefusal && err.kind === 'not_found') return undefined;
        throw err;
      }
    },
    close: () => client.close(),
  };
}

function translate(err: ServiceError, where: string): Error {
  const text = `${where}: ${err.details}`;
  switch (err.code) {
    case status.ALREADY_EXISTS:
      return new LocketRefusal('collision', text);
    case status.NOT_FOUND:
      return new LocketRefusal('not_found', text);
    case status.INVALID_ARGUMENT:
      return new LocketRefusal('invalid', text);
    case status.UNAVAILABLE:
    case status.DEADLINE_EXCEEDED:
    case status.CANCELLED:
      return new UnikError('peer_unreachable', text, { cause: err });
    case status.INTERNAL:
      return new UnikError('bad_reply', text, { cause: err });
    default:
      return new LocketRefusal('other', text);
  }
}
