/** The BBS's wire: protobuf over HTTPS, refusals in a 200, event streams (bbs handlers/). */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { BBS_ROUTES, BBS_STREAMS, type BbsCall } from '../../backend/wire/bbs-routes.js';
import { decode, encode, type MessageName } from '../../backend/wire/codec.js';
import { UnikError } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import { answer, readBody, traceOf } from '../https.js';
import type { Draft } from './draft.js';
import type { Engine } from './engine.js';
import { HANDLERS } from './handlers.js';
import type { Hub, StreamName } from './hub.js';
import { BAD_REQUEST, Refusal } from './model.js';
import { REQUEST_FAULTS } from './rules/validate.js';
import { openStream } from './stream.js';

export interface BbsServerParts {
  engine: Engine;
  hub: Hub;
  log: Log;
  /** While false every call is answered with 503. */
  ready: () => boolean;
}

/** A call with its types rubbed off: the table pairs request, handler and response by name. */
interface AnyCall {
  name: BbsCall;
  request?: MessageName;
  response: MessageName;
  faults: ((request: never) => string[]) | undefined;
  handle: (draft: Draft, request: never) => object | undefined;
}

const CALLS = new Map<string, AnyCall>(
  Object.entries(BBS_ROUTES).map(([key, route]) => {
    const name = key as BbsCall;
    const { path, response } = route;
    const request = 'request' in route ? { request: route.request } : {};
    return [path, { name, response, ...request, faults: REQUEST_FAULTS[name], handle: HANDLERS[name] }];
  }),
);

const STREAMS = new Map<string, StreamName>(
  Object.entries(BBS_STREAMS).flatMap(([name, paths]) => paths.map((path) => [path, name as StreamName])),
);

const PROTOBUF = { 'content-type': 'application/x-protobuf' };

export function bbsHandler(parts: BbsServerParts): (request: IncomingMessage, response: ServerResponse) => void {
  const { engine, hub, log, ready } = parts;

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '').split('?')[0] ?? '';
    const call = CALLS.get(path);
    const stream = STREAMS.get(path);
    if (!call && !stream) {
      answer(response, 404, '404 page not found\n', { 'content-type': 'text/plain; charset=utf-8' });
      return;
    }
    if (call && request.method !== 'POST') {
      answer(response, 405, 'Method Not Allowed\n', { allow: 'POST' });
      return;
    }
    if (!ready()) {
      answer(response, 503, '');
      return;
    }
    const body = await readBody(request);
    if (!body) {
      answer(response, 413, '');
      return;
    }
    if (stream) {
      subscribe(stream, body, response);
      return;
    }
    if (call) answer(response, 200, await reply(call, body, traceOf(request)), PROTOBUF);
  }

  function subscribe(stream: StreamName, body: Buffer, response: ServerResponse): undefined {
    try {
      const { cell_id } = decode('models.EventsByCellId', body);
      openStream({ hub, stream, cell_id, response });
    } catch (err) {
      if (!(err instanceof UnikError)) throw err;
      answer(response, 500, '');
    }
  }

  async function reply(call: AnyCall, body: Buffer, trace: string): Promise<Buffer> {
    try {
      const request = read(call, body) as never;
      const faults = call.faults?.(request) ?? [];
      if (faults.length > 0) throw new Refusal('InvalidRequest', faults.join(', '));
      const found = await engine.run(trace, (draft) => call.handle(draft, request));
      if (found instanceof Refusal) throw found;
      return encode(call.response, (found ?? {}) as never);
    } catch (err) {
      if (!(err instanceof Refusal)) log.error({ err, call: call.name }, 'bbs.call-failed');
      const refusal = err instanceof Refusal ? err : new Refusal('UnknownError', 'the BBS failed; see its log');
      return encode(call.response, { error: { type: refusal.type, message: refusal.message } });
    }
  }

  return (request, response) => {
    serve(request, response).catch((err: unknown) => {
      // The peer went away, or the process lacks memory: nobody is left to be told.
      log.warn({ err, url: request.url }, 'bbs.request-broken');
      response.destroy();
    });
  };
}

function read(call: AnyCall, body: Buffer): unknown {
  if (!call.request) return undefined;
  try {
    return decode(call.request, body);
  } catch (err) {
    if (err instanceof UnikError) throw BAD_REQUEST();
    throw err;
  }
}
