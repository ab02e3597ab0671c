/**
 * Event streams of the BBS. HTTP is parsed here because the real BBS ends each chunk size with an empty chunk extension,
 * which Node's parser refuses (bbs `handlers/events_handlers.go`, `events/event_source.go`).
 */
import { connect, type TLSSocket } from 'node:tls';
import type { Clock } from '../../core/clock.js';
import { messageOf, UnikError } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import type { Messages } from '../../protos/generated.js';
import type { Identity } from './bbs.js';
import { BBS_STREAMS } from './bbs-routes.js';
import { decode, encode, type MessageName } from './codec.js';

/** Name of an event on the stream, and the message its data holds. */
export const EVENTS = {
  desired_lrp_created: 'models.DesiredLRPCreatedEvent',
  desired_lrp_changed: 'models.DesiredLRPChangedEvent',
  desired_lrp_removed: 'models.DesiredLRPRemovedEvent',
  actual_lrp_instance_created: 'models.ActualLRPInstanceCreatedEvent',
  actual_lrp_instance_changed: 'models.ActualLRPInstanceChangedEvent',
  actual_lrp_instance_removed: 'models.ActualLRPInstanceRemovedEvent',
  actual_lrp_crashed: 'models.ActualLRPCrashedEvent',
  actual_lrp_created: 'models.ActualLRPCreatedEvent',
  actual_lrp_changed: 'models.ActualLRPChangedEvent',
  actual_lrp_removed: 'models.ActualLRPRemovedEvent',
  task_created: 'models.TaskCreatedEvent',
  task_changed: 'models.TaskChangedEvent',
  task_removed: 'models.TaskRemovedEvent',
} as const satisfies Record<string, MessageName>;

type EventName = keyof typeof EVENTS;
export type BbsEvent = { [N in EventName]: { id: number; event: N; data: Messages[(typeof EVENTS)[N]] } }[EventName];

export interface EventsOptions {
  /** `https://host:port`. */
  url: string;
  tls: Identity;
  stream: keyof typeof BBS_STREAMS;
  /** Instance events of this cell only; empty: of all. Events of desired LRPs always come. */
  cell_id?: string;
  onEvent: (event: BbsEvent) => void;
}

export interface EventStream {
  /** Head of the reply, for who wants to know. */
  readonly head: string;
  /** Resolves when no more will come. Never rejects. */
  readonly ended: Promise<void>;
  close(): void;
}

export interface FollowOptions extends Omit<EventsOptions, 'onEvent' | 'stream'> {
  clock: Clock;
  log: Log;
  /** Before it is tried again. */
  pause_ms?: number;
  /** A stream is open: what was before is not told. */
  onOpen?: () => void;
}

/** Tells of events of LRPs until the signal; a stream that ends is opened again. What happens in between is not told. */
export async function followInstances(
  { clock, log, pause_ms = 1_000, onOpen, ...options }: FollowOptions,
  tell: (event: BbsEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  const ending = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  while (!signal.aborted) {
    try {
      const stream = await openEvents({ ...options, stream: 'lrp_instances', onEvent: tell });
      onOpen?.();
      await Promise.race([stream.ended, ending]);
      stream.close();
    } catch (err) {
      log.debug({ reason: messageOf(err) }, 'bbs.events-unreachable');
    }
    await clock.sleep(pause_ms, signal).catch(() => undefined);
  }
}

const HEAD_MS = 10_000;
const PROBE_MS = 20_000;
/** No event is larger; what does not end is no event. */
const LONGEST = 16 * 2 ** 20;

/** Settled when the head has arrived: nothing after that is missed. Throws peer_unreachable, bad_reply. */
export async function openEvents({ url, tls, stream, cell_id = '', onEvent }: EventsOptions): Promise<EventStream> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), ...tls });
  // Nothing is sent between events, and a peer that vanished sends nothing either.
  socket.setKeepAlive(true, PROBE_MS);
  const body = encode('models.EventsByCellId', { cell_id });
  const method = stream === 'lrp_groups' ? 'GET' : 'POST';
  const lines = [
    `${method} ${BBS_STREAMS[stream][0]} HTTP/1.1`,
    `Host: ${hostname}:${port}`,
    'Content-Type: application/x-protobuf',
    `Content-Length: ${body.length}`,
    '\r\n',
  ];
  socket.once('secureConnect', () => socket.write(Buffer.concat([Buffer.from(lines.join('\r\n')), body])));
  return read(socket, url, onEvent);
}

function read(socket: TLSSocket, url: string, onEvent: (event: BbsEvent) => void): Promise<EventStream> {
  const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  let pending: Buffer = Buffer.alloc(0);
  let text = '';
  let head: string | undefined;
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => socket.destroy(new Error(`no head within ${HEAD_MS} ms`)), HEAD_MS);
    const fail = (err: unknown): void =>
      reject(new UnikError('peer_unreachable', `events of ${url}: ${messageOf(err)}`, { cause: err }));
    socket.on('error', fail);
    socket.once('close', () => {
      clearTimeout(late);
      fail(new Error('the connection was closed'));
    });
    socket.on('data', (bytes: Buffer) => {
      try {
        pending = Buffer.concat([pending, bytes]);
        if (pending.length + text.length > LONGEST)
          throw new UnikError('bad_reply', `events of ${url}: one without end`);
        if (head === undefined) {
          const end = pending.indexOf('\r\n\r\n');
          if (end < 0) return;
          head = pending.subarray(0, end).toString();
          pending = pending.subarray(end + 4);
          clearTimeout(late);
          const [status = ''] = head.split('\r\n');
          if (!/^HTTP\/1\.1 200 /.test(status)) throw new UnikError('bad_reply', `events of ${url}: ${status}`);
          resolve({ head, ended, close: () => socket.destroy() });
        }
        for (let chunk = nextChunk(pending); chunk; chunk = nextChunk(pending)) {
          text += chunk.data.toString();
          pending = chunk.rest;
        }
        const frames = text.split('\n\n');
        text = frames.pop() ?? '';
        for (const frame of frames) {
          const event = parse(frame);
          if (event) onEvent(event);
        }
      } catch (err) {
        reject(err instanceof Error ? err : new Error(messageOf(err)));
        socket.destroy();
      }
    });
  });
}

function nextChunk(bytes: Buffer): { data: Buffer; rest: Buffer } | undefined {
  const line = bytes.indexOf('\r\n');
  if (line < 0) return undefined;
  const size = Number.parseInt(bytes.subarray(0, line).toString().split(';')[0] ?? '', 16);
  if (Number.isNaN(size)) throw new UnikError('bad_reply', 'events: not in chunks');
  const end = line + 2 + size;
  if (bytes.length < end + 2) return undefined;
  return { data: bytes.subarray(line + 2, end), rest: bytes.subarray(end + 2) };
}

function parse(frame: string): BbsEvent | undefined {
  const fields = Object.fromEntries(
    frame.split('\n').map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).trimStart()];
    }),
  );
  const { id, event, data = '' } = fields;
  // A later BBS may tell more.
  if (event === undefined || !Object.hasOwn(EVENTS, event)) return undefined;
  const name = event as EventName;
  return { id: Number(id), event: name, data: decode(EVENTS[name], Buffer.from(data, 'base64')) } as BbsEvent;
}
