/** A Loggregator agent that hands what it takes to whoever wants it: cells send here as they would to a forwarder. */
import {
  Server,
  ServerCredentials,
  type sendUnaryData,
  type ServerReadableStream,
  type ServerUnaryCall,
} from '@grpc/grpc-js';
import { UnikError } from '../../core/errors.js';
import type { Identity } from '../../backend/wire/bbs.js';
import { INGRESS, type Envelope } from '../../backend/wire/loggregator.js';

export interface IngressServer {
  /** `127.0.0.1:PORT`. */
  address: string;
  /** Ends every call at once. */
  close(): void;
}

export interface IngressServerOptions {
  /** Its certificate has to name `metron`; clients need one of the same authority. */
  tls: Identity;
  port?: number;
  take: (envelopes: Envelope[]) => void;
}

const MAX_MESSAGE = 10 * 2 ** 20;

/** Throws port_taken. */
export async function serveIngress({ tls, port = 0, take }: IngressServerOptions): Promise<IngressServer> {
  const server = new Server({ 'grpc.max_receive_message_length': MAX_MESSAGE });
  const stream = (call: ServerReadableStream<Envelope[], Buffer>, done: sendUnaryData<Buffer>): void => {
    call.on('data', take);
    call.on('end', () => done(null, EMPTY));
    // A client that went away: what it had sent was taken.
    call.on('error', () => undefined);
  };
  server.addService(INGRESS, {
    Sender: stream,
    BatchSender: stream,
    Send: (call: ServerUnaryCall<Envelope[], Buffer>, done: sendUnaryData<Buffer>) => {
      take(call.request);
      done(null, EMPTY);
    },
  });
  const pair = { private_key: Buffer.from(tls.key), cert_chain: Buffer.from(tls.cert) };
  const secure = ServerCredentials.createSsl(Buffer.from(tls.ca), [pair], true);
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, secure, (err, got) => {
      if (err) reject(new UnikError('port_taken', `no ingress on 127.0.0.1:${port}: ${err.message}`, { cause: err }));
      else resolve(got);
    });
  });
  return { address: `127.0.0.1:${bound}`, close: () => server.forceShutdown() };
}

const EMPTY = Buffer.alloc(0);
