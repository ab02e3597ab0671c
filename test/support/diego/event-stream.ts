import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import type { Identity } from '../../../backend/wire/bbs.js';
import { BBS_STREAMS } from '../../../backend/wire/bbs-routes.js';
import { decode, encode, type MessageName } from '../../../backend/wire/codec.js';
import type { Messages } from '../../../protos/generated.js';
import { Journal } from './journal.js';

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

export interface EventStream {
  readonly events: Journal<BbsEvent>;
  readonly head: string;
  close(): void;
}

/**
 * Subscribes to an event stream of the BBS. HTTP is parsed here because the real BBS ends each chunk size with an empty
 * chunk extension, which Node's parser refuses. Settled when the head has arrived: nothing after that is missed.
 */
export async function subscribe(
  bbs_url: string,
  tls: Identity,
  stream: keyof typeof BBS_STREAMS,
  cell_id = '',
): Promise<EventStream> {
  const { hostname, port } = new URL(bbs_url);
  const socket = connect({ host: hostname, port: Number(port), ...tls });
  await once(socket, 'secureConnect');
  const body = encode('models.EventsByCellId', { cell_id });
  const method = stream === 'lrp_groups' ? 'GET' : 'POST';
  const head = [
    `${method} ${BBS_STREAMS[stream][0]} HTTP/1.1`,
    `Host: ${hostname}:${port}`,
    'Content-Type: application/x-protobuf',
    `Content-Length: ${body.length}`,
    '\r\n',
  ];
  socket.write(Buffer.concat([Buffer.from(head.join('\r\n')), body]));
  return read(socket);
}

async function read(socket: TLSSocket): Promise<EventStream> {
  const events = new Journal<BbsEvent>();
  let pending = Buffer.alloc(0);
  let text = '';
  const head = await new Promise<string>((resolve, reject) => {
    let headSeen = false;
    socket.once('error', reject);
    socket.setTimeout(10_000, () => {
      if (!headSeen) socket.destroy(new Error('event stream: no head within 10 s'));
    });
    socket.on('data', (bytes: Buffer) => {
      pending = Buffer.concat([pending, bytes]);
      if (!headSeen) {
        const end = pending.indexOf('\r\n\r\n');
        if (end < 0) return;
        headSeen = true;
        socket.setTimeout(0);
        resolve(pending.subarray(0, end).toString());
        pending = pending.subarray(end + 4);
      }
      for (let chunk = nextChunk(pending); chunk; chunk = nextChunk(pending)) {
        text += chunk.data.toString();
        pending = chunk.rest;
      }
      const frames = text.split('\n\n');
      text = frames.pop() ?? '';
      for (const frame of frames) {
        const event = parse(frame);
        if (event) events.add(event);
      }
    });
  });
  return { events, head, close: () => socket.destroy() };
}

function nextChunk(bytes: Buffer): { data: Buffer; rest: Buffer<ArrayBuffer> } | undefined {
  const line = bytes.indexOf('\r\n');
  if (line < 0) return undefined;
  const size = Number.parseInt(bytes.subarray(0, line).toString().split(';')[0] ?? '', 16);
  const end = line + 2 + size;
  if (bytes.length < end + 2) return undefined;
  return { data: bytes.subarray(line + 2, end), rest: Buffer.from(bytes.subarray(end + 2)) };
}

function parse(frame: string): BbsEvent | undefined {
  const fields = Object.fromEntries(
    frame.split('\n').map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).trimStart()];
    }),
  );
  const { id, event, data = '' } = fields;
  if (event === undefined) return undefined;
  if (!Object.hasOwn(EVENTS, event)) throw new Error(`event stream: unknown event ${event}`);
  const name = event as EventName;
  return { id: Number(id), event: name, data: decode(EVENTS[name], Buffer.from(data, 'base64')) } as BbsEvent;
}
