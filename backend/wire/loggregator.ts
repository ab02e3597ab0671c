/** Loggregator's v2 ingress as both sides of it see it (loggregator-api v2/ingress.proto). */
import { Client, credentials, status, type ClientWritableStream, type ServiceDefinition } from '@grpc/grpc-js';
import { UnikError } from '../../core/errors.js';
import type { Messages } from '../../protos/generated.js';
import { decode, encode, type Sent } from './codec.js';
import type { Identity } from './bbs.js';

export type Envelope = Messages['loggregator.v2.Envelope'];
type Message = Sent<Pick<Envelope, 'log' | 'counter' | 'gauge' | 'timer' | 'event'>>;
/** What of an envelope has to be there to be sent. */
export type NewEnvelope = Pick<Envelope, 'timestamp' | 'source_id' | 'instance_id' | 'tags'> & Message;
/** What the envelopes of a source have in common. */
export type Common = Readonly<Pick<Envelope, 'source_id' | 'instance_id' | 'tags'>>;
export type Outgoing = { source: Common } & Message;

const BATCH = 'loggregator.v2.EnvelopeBatch';
const same = (bytes: Buffer): Buffer => bytes;
const nothing = (): Buffer => Buffer.alloc(0);

/** The service, for a server: requests come decoded, replies are empty. */
export const INGRESS = {
  Sender: {
    path: '/loggregator.v2.Ingress/Sender',
    requestStream: true,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: (bytes: Buffer): Envelope[] => [decode('loggregator.v2.Envelope', bytes)],
    responseSerialize: nothing,
    responseDeserialize: same,
  },
  BatchSender: {
    path: '/loggregator.v2.Ingress/BatchSender',
    requestStream: true,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: (bytes: Buffer): Envelope[] => decode(BATCH, bytes).batch,
    responseSerialize: nothing,
    responseDeserialize: same,
  },
  Send: {
    path: '/loggregator.v2.Ingress/Send',
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: (bytes: Buffer): Envelope[] => decode(BATCH, bytes).batch,
    responseSerialize: nothing,
    responseDeserialize: same,
  },
} satisfies ServiceDefinition;

const commonBytes = new WeakMap<Common, Buffer>();

/**
 * The bytes of a batch. What a source's envelopes have in common is encoded once: the fields of a protobuf message may
 * come in parts, one after the other. `timestampOf`: nanoseconds, asked once for each, in order.
 */
export function encodeBatch<T extends Outgoing>(envelopes: readonly T[], timestampOf: (envelope: T) => bigint): Buffer {
  let length = 0;
  const parts = envelopes.map((envelope) => {
    const { source, log, counter, gauge, timer, event } = envelope;
    let common = commonBytes.get(source);
    if (!common) {
      const { source_id, instance_id, tags } = source;
      commonBytes.set(source, (common = encode('loggregator.v2.Envelope', { source_id, instance_id, tags })));
    }
    const timestamp = timestampOf(envelope);
    const own = encode('loggregator.v2.Envelope', { timestamp, log, counter, gauge, timer, event });
    length += own.length + common.length + MAX_HEAD;
    return { own, common };
  });
  const bytes = Buffer.allocUnsafe(length);
  let at = 0;
  for (const { own, common } of parts) {
    bytes[at++] = ENVELOPE_FIELD;
    let rest = own.length + common.length;
    for (; rest > 0x7f; rest >>>= 7) bytes[at++] = (rest & 0x7f) | 0x80;
    bytes[at++] = rest;
    at += own.copy(bytes, at);
    at += common.copy(bytes, at);
  }
  return bytes.subarray(0, at);
}

/** Field 1 of a batch: bytes of a length that follows. */
const ENVELOPE_FIELD = (1 << 3) | 2;
/** Bytes of the field's number and length. */
const MAX_HEAD = 6;

export interface Agent {
  /** Settled when a connection stands; throws peer_unreachable at `deadline` (epoch ms), or by the signal. */
  ready(deadline: number, signal: AbortSignal): Promise<void>;
  open(): Batches;
  close(): void;
}

/** One `BatchSender` call. */
export interface Batches {
  /** `taken` is called when the batch has left for the agent, or with why it never will. */
  write(bytes: Buffer, taken: (err?: Error | null) => void): void;
  /** Says that no more comes. The agent's answer to that settles `ended`. */
  finish(): void;
  cancel(): void;
  /** Never rejects. Undefined: the agent has read all that was written. */
  readonly ended: Promise<Error | undefined>;
}

/** `address`: `host:port`. The agent's certificate is checked for the name `server_name`. */
export function createAgent(address: string, tls: Identity, server_name: string): Agent {
  const secure = credentials.createSsl(Buffer.from(tls.ca), Buffer.from(tls.key), Buffer.from(tls.cert));
  const client = new Client(address, secure, {
    'grpc.ssl_target_name_override': server_name,
    'grpc.default_authority': server_name,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 2_000,
    'grpc.enable_retries': 0,
    // Otherwise a batch counts as taken when it is in this buffer, and a megabyte of one source delays all others.
    'grpc.per_rpc_retry_buffer_size': 0,
  });
  return {
    ready: (deadline, signal) =>
      new Promise((resolve, reject) => {
        const aborted = (): void => reject(new UnikError('peer_unreachable', `${address}: no longer waited for`));
        signal.addEventListener('abort', aborted, { once: true });
        client.waitForReady(deadline, (err) => {
          signal.removeEventListener('abort', aborted);
          if (err) reject(new UnikError('peer_unreachable', `${address}: ${err.message}`, { cause: err }));
          else resolve();
        });
      }),
    open: () => openBatches(client),
    close: () => client.close(),
  };
}

function openBatches(client: Client): Batches {
  const { path } = INGRESS.BatchSender;
  let call: ClientWritableStream<Buffer>;
  const ended = new Promise<Error | undefined>((resolve) => {
    call = client.makeClientStreamRequest(path, same, same, (err) => {
      // Go's agents answer a client's half-close so, having read all: io.EOF is what their handler returns.
      const done = err === null || (err.code === status.UNKNOWN && err.details === 'EOF');
      resolve(done ? undefined : err);
    });
    // What goes wrong is told by `ended`.
    call.on('error', () => undefined);
  });
  return {
    write: (bytes, taken) => void call.write(bytes, taken),
    finish: () => void call.end(),
    cancel: () => call.cancel(),
    ended,
  };
}
