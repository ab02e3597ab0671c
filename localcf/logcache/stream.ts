/** Envelopes as they come, as the gateway of Loggregator's reverse log proxy streams them (`GET /v2/read`). */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Envelope } from '../../backend/wire/loggregator.js';
import { messageOf } from '../../core/errors.js';
import { envelopeJson } from './json.js';

export interface StreamOptions {
  /** Tells of all envelopes that are stored from now on; the result ends it. */
  listen: (hear: (envelopes: readonly Envelope[]) => void) => () => void;
  /** As for the gateway; asked for the empty source by who wants those of all. */
  mayRead: (authorization: string | undefined, source_id: string) => Promise<boolean>;
}

const KINDS = ['log', 'counter', 'gauge', 'timer', 'event'] as const;

interface Asked {
  kinds: (typeof KINDS)[number][];
  /** Empty: all. */
  sources: ReadonlySet<string>;
}
type Refusal = [status: number, error: string, message: string];

/** Readers give up on a stream that is silent for long. */
const HEARTBEAT_MS = 10_000;
/** Who reads slower than this loses envelopes, as with the real one. */
const MOST_BYTES = 4 * 2 ** 20;

export function createLogStream({ listen, mayRead }: StreamOptions): RequestListener {
  async function refusalOf(
    { method, headers }: IncomingMessage,
    { kinds, sources }: Asked,
  ): Promise<Refusal | undefined> {
    if (method !== 'GET') return [405, 'method_not_allowed', 'method not allowed'];
    if (kinds.length === 0) return [400, 'missing_envelope_type', 'query must provide at least one envelope type'];
    const all = sources.size > 0 ? [...sources] : [''];
    const may = await Promise.all(all.map((id) => mayRead(headers.authorization, id)));
    return may.includes(false) ? [404, 'not_found', 'resource not found'] : undefined;
  }

  function begin(res: ServerResponse, { kinds, sources }: Asked): void {
    res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache', connection: 'keep-alive' });
    res.flushHeaders();
    const send = (text: string): void => {
      if (res.writableLength < MOST_BYTES) res.write(text);
    };
    const unlisten = listen((envelopes) => {
      const batch = envelopes
        .filter((one) => sources.size === 0 || sources.has(one.source_id))
        .filter((one) => kinds.some((kind) => one[kind] !== undefined));
      if (batch.length > 0) send(`data: ${JSON.stringify({ batch: batch.map(envelopeJson) })}\n\n`);
    });
    const beat = setInterval(() => send(`event: heartbeat\ndata: ${Math.floor(Date.now() / 1_000)}\n\n`), HEARTBEAT_MS);
    res.on('close', () => {
      clearInterval(beat);
      unlisten();
    });
  }

  return (req, res) => {
    const { searchParams } = new URL(req.url ?? '/', 'http://gateway');
    const asked: Asked = {
      kinds: KINDS.filter((kind) => searchParams.has(kind)),
      sources: new Set(searchParams.getAll('source_id')),
    };
    refusalOf(req, asked)
      .catch((err: unknown): Refusal => [500, 'internal', messageOf(err)])
      .then(
        (refusal) => (refusal ? refuse(res, refusal) : begin(res, asked)),
        (err: unknown) => res.destroy(err instanceof Error ? err : undefined),
      );
  };
}

function refuse(res: ServerResponse, [status, error, message]: Refusal): void {
  res.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify({ error, message })}\n`);
}
