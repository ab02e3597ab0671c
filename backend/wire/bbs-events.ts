/**
 * An event stream of the BBS. HTTP is parsed here: the real BBS ends each chunk's size with an empty chunk extension,
 * which Node's parser refuses (Go's net/http with code.cloudfoundry.org/bbs `handlers/events_handlers.go`).
 */
import { connect } from 'node:tls';
import type { Clock } from '../../core/clock.js';
import { messageOf } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import type { Messages } from '../../protos/generated.js';
import type { Identity } from './bbs.js';
import { BBS_STREAMS } from './bbs-routes.js';
import { decode, encode, type MessageName } from './codec.js';

/** Name on the stream to the message that its data holds; of those that somebody here asks for. */
const EVENTS = { actual_lrp_crashed: 'models.ActualLRPCrashedEvent' } as const satisfies Record<string, MessageName>;

export type StreamEvent = {
  [N in keyof typeof EVENTS]: { name: N; data: Messages[(typeof EVENTS)[N]] };
}[keyof typeof EVENTS];

export interface FollowOptions {
  /** `https://host:port`. */
  url: string;
  tls: Identity;
  clock: Clock;
  log: Log;
  /** Before it is tried again. */
  pause_ms?: number;
}

/** Tells of events until the signal; a stream that ends is opened again. What happens in between is not told. */
export async function followInstances(
  options: FollowOptions,
  tell: (event: StreamEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  const { clock, log, pause_ms = 1_000 } = options;
  const isOver = (): boolean => signal.aborted;
  while (!isOver()) {
    const ended = await once(options, tell, signal).then(
      () => 'the stream ended',
      (err: unknown) => messageOf(err),
    );
    if (isOver()) return;
    log.debug({ reason: ended }, 'bbs.events-ended');
    await clock.sleep(pause_ms, signal).catch(() => undefined);
  }
}

function once({ url, tls }: FollowOptions, tell: (event: StreamEvent) => void, signal: AbortSignal): Promise<void> {
  const { hostname, port } = new URL(url);
  const body = encode('models.EventsByCellId', { cell_id: '' });
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), ...tls });
    const stop = (): void => void socket.destroy();
    signal.addEventListener('abort', stop, { once: true });
    socket.once('error', reject);
    socket.once('close', () => {
      signal.removeEventListener('abort', stop);
      resolve();
    });
    socket.once('secureConnect', () => {
      const head = [
        `POST ${BBS_STREAMS.lrp_instances[0]} HTTP/1.1`,
        `Host: ${hostname}:${port}`,
        'Content-Type: application/x-protobuf',
        `Content-Length: ${body.length}`,
        '\r\n',
      ];
      socket.write(Buffer.concat([Buffer.from(head.join('\r\n')), body]));
    });
    const frames = frameReader((frame) => {
      const event = parseFrame(frame);
      if (event) tell(event);
    });
    socket.on('data', (bytes: Buffer) => {
      try {
        frames(bytes);
      } catch (err) {
        socket.destroy(err instanceof Error ? err : undefined);
      }
    });
  });
}

/** Takes the bytes of a reply as they come; gives the frames of its event stream. Throws for a status other than 200. */
export function frameReader(tell: (frame: string) => void): (bytes: Buffer) => void {
  let pending: Buffer = Buffer.alloc(0);
  let text = '';
  let headSeen = false;
  return (bytes) => {
    pending = Buffer.concat([pending, bytes]);
    if (!headSeen) {
      const end = pending.indexOf('\r\n\r\n');
      if (end < 0) return;
      const [status = ''] = pending.subarray(0, end).toString().split('\r\n');
      if (!/^HTTP\/1\.1 200\b/.test(status)) throw new Error(`event stream: ${status}`);
      headSeen = true;
      pending = pending.subarray(end + 4);
    }
    for (let chunk = nextChunk(pending); chunk; chunk = nextChunk(pending)) {
      text += chunk.data.toString('latin1');
      pending = chunk.rest;
    }
    const frames = text.split('\n\n');
    text = frames.pop() ?? '';
    frames.forEach(tell);
  };
}

function nextChunk(bytes: Buffer): { data: Buffer; rest: Buffer } | undefined {
  const line = bytes.indexOf('\r\n');
  if (line < 0) return undefined;
  const size = Number.parseInt(bytes.subarray(0, line).toString().split(';')[0] ?? '', 16);
  if (Number.isNaN(size)) throw new Error('event stream: a chunk without a size');
  const end = line + 2 + size;
  if (bytes.length < end + 2) return undefined;
  return { data: bytes.subarray(line + 2, end), rest: bytes.subarray(end + 2) };
}

/** Undefined for an event that nobody here asks for. Data is base64. */
export function parseFrame(frame: string): StreamEvent | undefined {
  const fields = new Map(
    frame.split('\n').map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).trimStart()];
    }),
  );
  const name = fields.get('event') ?? '';
  if (!Object.hasOwn(EVENTS, name)) return undefined;
  const known = name as keyof typeof EVENTS;
  return { name: known, data: decode(EVENTS[known], Buffer.from(fields.get('data') ?? '', 'base64')) };
}
