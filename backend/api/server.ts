/**
 * HTTP around the handlers: parses what comes in by the route's schemas, turns what is thrown into the error body, and
 * writes replies, NDJSON streams and downloads. Knows nothing of instances or images.
 */
import express, { type Express, type Request, type Response } from 'express';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { ERRORS, messageOf, toUnikError, UnikError } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import { ROUTES, type CallOutput, type LineOf, type ReplyOf, type Route, type RouteName } from './schema/routes.js';
import { describeIssues } from '../../core/describe-issues.js';
import type { ErrorBody } from './schema/common.js';

/** What a handler knows beside its parsed input. */
export interface Context {
  /** Fires when the caller has gone. */
  signal: AbortSignal;
  /** The caller reads NDJSON. */
  wantsStream: boolean;
  /** The raw body, where one was sent instead of JSON. */
  upload?: Readable;
  /** The caller came by the Unix socket: same host, same user. */
  local: boolean;
}

/** A raw reply. */
export interface Download {
  filename: string;
  content: Readable;
}

type Result<N extends RouteName> =
  | ReplyOf<N>
  | ((typeof ROUTES)[N] extends { stream: z.ZodType } ? AsyncIterable<LineOf<N>> : never)
  | ((typeof ROUTES)[N] extends { download: string } ? Download : never);

/** One per route: a missing handler is a compile error. */
export type Handlers = { [N in RouteName]: (input: CallOutput<N>, context: Context) => Promise<Result<N>> };

export interface ServerOptions {
  handlers: Handlers;
  log: Log;
  local: boolean;
  /** Throws `unauthorized`. */
  authorize?: (request: Request) => void;
}

const NDJSON = 'application/x-ndjson';

export function createServer(options: ServerOptions): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use((request, _response, next) => {
    options.authorize?.(request);
    next();
  });
  app.use(express.json({ limit: '16mb', strict: false }));
  for (const [name, route] of Object.entries(ROUTES) as [RouteName, Route][]) {
    const handle = options.handlers[name] as (input: unknown, context: Context) => Promise<unknown>;
    app[route.method](route.path.replace(/\{(\w+)\}/g, ':$1'), async (request, response) => {
      const gone = new AbortController();
      response.on('close', () => gone.abort());
      const upload = route.upload !== undefined && request.is(route.upload) ? request : undefined;
      const input = {
        ...(route.params ? { params: parse(route.params, request.params, 'path') } : {}),
        ...(route.query ? { query: parse(route.query, request.query, 'query') } : {}),
        ...(route.body && !upload ? { body: parse(route.body, request.body ?? {}, 'body') } : {}),
      };
      const result = await handle(input, {
        signal: gone.signal,
        wantsStream: request.accepts(['application/json', NDJSON]) === NDJSON,
        local: options.local,
        ...(upload ? { upload } : {}),
      });
      await send(response, route, result, options.log);
    });
  }
  app.use((request, _response) => {
    throw new UnikError('not_found', `there is no route ${request.method} ${request.path}`);
  });
  app.use((err: unknown, request: Request, response: Response, _next: unknown) => {
    const error = wrap(err);
    if (error.code === 'internal') options.log.error({ err, path: request.path }, 'api.failed');
    if (response.headersSent) response.destroy();
    else response.status(error.http).json(errorBodyOf(error));
  });
  return app;
}

export function errorBodyOf(error: UnikError): ErrorBody {
  return { code: error.code, message: error.message, hint: error.hint, owner: ERRORS[error.code].owner };
}

async function send(response: Response, route: Route, result: unknown, log: Log): Promise<void> {
  response.status(route.status ?? 200);
  if (isStream(result)) {
    response.type(NDJSON).flushHeaders();
    await sendLines(response, result, log);
  } else if (route.download !== undefined) {
    const { filename, content } = result as Download;
    response.type(route.download).attachment(filename);
    await pipeline(content, response);
  } else {
    response.json(result);
  }
}

/** Each value a line, at the reader's pace. A failure becomes the last line, for the status is already sent. */
async function sendLines(response: Response, lines: AsyncIterable<unknown>, log: Log): Promise<void> {
  try {
    for await (const line of lines) {
      if (response.destroyed) return;
      if (!response.write(`${JSON.stringify(line)}\n`))
        await Promise.race([once(response, 'drain'), once(response, 'close')]);
    }
  } catch (err) {
    if (response.destroyed) return;
    const error = wrap(err);
    if (error.code === 'internal') log.error({ err }, 'api.stream-failed');
    response.write(`${JSON.stringify({ error: errorBodyOf(error) })}\n`);
  }
  response.end();
}

function isStream(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value && !(value instanceof Readable);
}

function parse(schema: z.ZodType, value: unknown, where: string): unknown {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new UnikError('bad_request', describeIssues(result.error, where));
}

/** Errors of the body parser carry a status of their own. */
function wrap(err: unknown): UnikError {
  if (err instanceof Error && 'status' in err && typeof err.status === 'number' && err.status < 500) {
    return new UnikError('bad_request', `the request cannot be read: ${messageOf(err)}`, { cause: err });
  }
  return toUnikError(err);
}
