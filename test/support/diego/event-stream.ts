import type { Identity } from '../../../backend/wire/bbs.js';
import { openEvents, type BbsEvent } from '../../../backend/wire/bbs-events.js';
import type { BBS_STREAMS } from '../../../backend/wire/bbs-routes.js';
import { Journal } from './journal.js';

export { EVENTS, type BbsEvent } from '../../../backend/wire/bbs-events.js';

export interface EventStream {
  readonly events: Journal<BbsEvent>;
  readonly head: string;
  close(): void;
}

/** Subscribes to an event stream of the BBS and keeps what comes. */
export async function subscribe(
  bbs_url: string,
  tls: Identity,
  stream: keyof typeof BBS_STREAMS,
  cell_id = '',
): Promise<EventStream> {
  const events = new Journal<BbsEvent>();
  const opened = await openEvents({ url: bbs_url, tls, stream, cell_id, onEvent: (one) => events.add(one) });
  return { events, head: opened.head, close: () => opened.close() };
}
