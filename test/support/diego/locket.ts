import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import type { Identity } from '../../../backend/wire/bbs.js';
import { decode, encode, type MessageName, type Sent } from '../../../backend/wire/codec.js';
import type { Messages } from '../../../protos/generated.js';

type Resource = Messages['models.Resource'];

/** Locket's four calls, with nothing between the test and the wire. A refusal is grpc's ServiceError. */
export interface Locket {
  lock(resource: Sent<Resource>, ttl_in_seconds: bigint): Promise<void>;
  release(resource: Sent<Resource>): Promise<void>;
  fetch(key: string): Promise<Resource | undefined>;
  fetchAll(request: Sent<Messages['models.FetchAllRequest']>): Promise<Resource[]>;
  close(): void;
}

const DEADLINE_MS = 10_000;

/** `address`: `127.0.0.1:PORT`. */
export function connectLocket(address: string, { ca, cert, key }: Identity): Locket {
  const client = new Client(address, credentials.createSsl(Buffer.from(ca), Buffer.from(key), Buffer.from(cert)));
  const call = <Q extends MessageName, R extends MessageName>(
    method: string,
    question: Q,
    reply: R,
    request: Sent<Messages[Q]>,
  ): Promise<Messages[R]> =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        `/models.Locket/${method}`,
        (value: Sent<Messages[Q]>) => encode(question, value),
        (bytes: Buffer) => decode(reply, bytes),
        request,
        { deadline: Date.now() + DEADLINE_MS },
        (err: ServiceError | null, value?: Messages[R]) => {
          if (err) reject(err);
          else if (value) resolve(value);
          else reject(new Error(`${method}: neither reply nor error`));
        },
      );
    });
  return {
    lock: async (resource, ttl_in_seconds) => {
      await call('Lock', 'models.LockRequest', 'models.LockResponse', { resource, ttl_in_seconds });
    },
    release: async (resource) => {
      await call('Release', 'models.ReleaseRequest', 'models.ReleaseResponse', { resource });
    },
    fetch: async (key) => (await call('Fetch', 'models.FetchRequest', 'models.FetchResponse', { key })).resource,
    fetchAll: async (request) =>
      (await call('FetchAll', 'models.FetchAllRequest', 'models.FetchAllResponse', request)).resources,
    close: () => client.close(),
  };
}
