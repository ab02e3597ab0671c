/** Locket's gRPC service over mutual TLS (locket handlers/handler.go). */
import { Server, ServerCredentials, status, type handleUnaryCall, type ServiceDefinition } from '@grpc/grpc-js';
import { decode, encode, type MessageName } from '../../backend/wire/codec.js';
import type { Identity } from '../../backend/wire/bbs.js';
import { UnikError } from '../../core/errors.js';
import type { Messages } from '../../protos/generated.js';
import type { LockRefusal, LockTable } from './table.js';

const METHODS = {
  Lock: ['models.LockRequest', 'models.LockResponse'],
  Fetch: ['models.FetchRequest', 'models.FetchResponse'],
  Release: ['models.ReleaseRequest', 'models.ReleaseResponse'],
  FetchAll: ['models.FetchAllRequest', 'models.FetchAllResponse'],
} as const satisfies Record<string, readonly [MessageName, MessageName]>;

type Method = keyof typeof METHODS;
type Handlers = {
  [M in Method]: (request: Messages[(typeof METHODS)[M][0]]) => Messages[(typeof METHODS)[M][1]] | LockRefusal;
};

export interface LocketServer {
  /** `host:port`. */
  address: string;
  close(): void;
}

export interface LocketOptions {
  table: LockTable;
  /** Resolves when what the table told is on disk. */
  settled: () => Promise<void>;
  tls: Identity;
  port: number;
  host?: string;
}

export async function serveLocket({
  table,
  settled,
  tls,
  port,
  host = '127.0.0.1',
}: LocketOptions): Promise<LocketServer> {
  const handlers: Handlers = {
    Lock: (request) => table.lock(request) ?? {},
    Release: ({ resource }) => table.release(resource ?? { key: '', owner: '' }) ?? {},
    Fetch: ({ key }) => {
      const found = table.fetch(key);
      return 'code' in found ? found : { resource: found };
    },
    FetchAll: ({ type_code }) => {
      const found = table.fetchAll(type_code);
      return 'code' in found ? found : { resources: found };
    },
  };
  const unary =
    <M extends Method>(
      method: M,
    ): handleUnaryCall<Messages[(typeof METHODS)[M][0]], Messages[(typeof METHODS)[M][1]]> =>
    ({ request }, reply) => {
      const answer = handlers[method](request);
      settled().then(
        () => {
          if ('code' in answer) reply({ code: status[answer.code], details: answer.message });
          else reply(null, answer);
        },
        (err: unknown) => reply({ code: status.INTERNAL, details: String(err) }),
      );
    };
  const server = new Server();
  server.addService(SERVICE, {
    Lock: unary('Lock'),
    Fetch: unary('Fetch'),
    Release: unary('Release'),
    FetchAll: unary('FetchAll'),
  });
  const { ca, cert, key } = tls;
  const pair = { cert_chain: Buffer.from(cert), private_key: Buffer.from(key) };
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${host}:${port}`, ServerCredentials.createSsl(Buffer.from(ca), [pair], true), (err, found) => {
      if (err)
        reject(new UnikError('config_invalid', `cannot listen on ${host}:${port}: ${err.message}`, { cause: err }));
      else resolve(found);
    });
  });
  return { address: `${host}:${bound}`, close: () => server.forceShutdown() };
}

const SERVICE: ServiceDefinition = Object.fromEntries(
  Object.entries(METHODS).map(([method, [request, response]]) => [
    method,
    {
      path: `/models.Locket/${method}`,
      requestStream: false,
      responseStream: false,
      requestSerialize: (value: object) => encode(request, value),
      requestDeserialize: (bytes: Buffer) => decode(request, bytes),
      responseSerialize: (value: object) => encode(response, value),
      responseDeserialize: (bytes: Buffer) => decode(response, bytes),
    },
  ]),
);
