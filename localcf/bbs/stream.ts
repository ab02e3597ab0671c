/** One subscriber's server-sent events (bbs handlers/events_handlers.go). */
import type { ServerResponse } from 'node:http';
import { encode } from '../../backend/wire/codec.js';
import type { Hub, StreamName } from './hub.js';
import type { BbsEvent } from './model.js';

/** Events a subscriber may lag behind before it is cut off (bbs events/hub.go). */
const MOST_BEHIND = 1024;

export interface StreamOptions {
  hub: Hub;
  stream: StreamName;
  cell_id: string;
  response: ServerResponse;
}

/** No snapshot, no heartbeat: only what happens from now on. */
export function openStream({ hub, stream, cell_id, response }: StreamOptions): void {
  let id = 0;
  let behind = 0;
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-store, must-revalidate',
    connection: 'keep-alive',
  });
  response.flushHeaders();
  const end = hub.subscribe({
    ...{ stream, cell_id },
    send(event) {
      if (behind > MOST_BEHIND) {
        response.destroy();
        return;
      }
      behind += 1;
      response.write(frame(id++, event), () => (behind -= 1));
    },
  });
  response.on('close', end);
}

const encoded = new WeakMap<BbsEvent, string>();

/** Each event is encoded once, however many listen. */
function frame(id: number, event: BbsEvent): string {
  let data = encoded.get(event);
  if (data === undefined) encoded.set(event, (data = encode(event.message, event.value).toString('base64')));
  return `id: ${id}\nevent: ${event.name}\ndata: ${data}\n\n`;
}
