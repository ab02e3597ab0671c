/**
 * HTTP around the resources: token, parsing, errors in CC's words, and the wait for the journal before anything is
 * answered. Knows no resource. README.md beside this file shows how a resource file looks.
 */
import express, { type ErrorRequestHandler, type Express, type Request, type Response } from 'express';
import { randomUUID } from 'node:crypto';
import type { z } from 'zod';
import { messageOf, UnikError } from '../../core/errors.js';
import { Access, type Caller } from './access.js';
import type { Cc } from './cc.js';
import { CfError, cfError, invalid, itemOf, notFound } from './errors.js';
import { describe } from './describe.js';
import type { ListCall, Query } from './list.js';

/** One request, its caller known. */
export interface Call extends ListCall {
  caller: Caller;
  access: Access;
  /** Of the path: `/v3/apps/:guid` gives `guid`. */
  params: Readonly<Record<string, string>>;
  query: Query;
  /** Parsed JSON; text for YAML; undefined for a `raw` route. */
  body: unknown;
  request: Request;
  /** Fires when the caller has gone. */
  signal: AbortSignal;
  /** The body by this schema; else 422 with one entry for each fault. */
  parse<S extends z.ZodType>(schema: S): z.output<S>;
}

export interface Reply {
  status: number;
  body?: object | string;
  headers?: Record<string, string>;
  /** Writes the reply itself (a download); status and headers are set before. */
  send?: (response: Response) => Promise<void>;
}

/** An object alone is a reply of status 200. */
export type Handle = (call: Call) => Promise<Reply | object> | Reply | object;

export interface Route {
  method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  path: string;
  handle: Handle;
  /** Answers without a token. `call.caller` is then nobody. */
  open?: boolean;
  /** The handler reads the body from `call.request` itself (uploads). */
  raw?: boolean;
}

type Options = Pick<Route, 'open' | 'raw'>;
const method =
  (name: Route['method']) =>
  (path: string, handle: Handle, options: Options = {}): Route => ({ method: name, path, handle, ...options });
export const get = method('get');
export const post = method('post');
export const put = method('put');
export const patch = method('patch');
export const del = method('delete');

const REPLY = Symbol('reply');
const reply = (one: Reply): Reply => Object.assign(one, { [REPLY]: true });
const isReply = (one: object): one is Reply => REPLY in one;

export const created = (body: object): Reply => reply({ status: 201, body });
export const accepted = (body: object): Reply => reply({ status: 202, body });
export const noContent = (): Reply => reply({ status: 204 });
/** 202 with the address of a job. */
export const jobReply = (cc: Cc, job_guid: string): Reply =>
  reply({ status: 202, headers: { location: `${cc.config.api_url}/v3/jobs/${job_guid}` } });
export const custom = (one: Reply): Reply => reply(one);

const NOBODY: Caller = { guid: '', name: '', email: '', client_id: '', scopes: new Set() };

export function ccApp(cc: Cc, routes: readonly Route[]): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', false);
  app.set('strict routing', false);
  const yaml = express.text({ type: ['*/x-yaml', '*/yaml', 'text/*'], limit: '4mb' });
  // The CLI sends `application/json` always; other clients do not.
  const json = express.json({ type: (request) => !isMultipart(request.headers['content-type']), limit: '10mb' });
  app.use((_request, response, next) => {
    response.set('x-vcap-request-id', randomUUID());
    next();
  });
  for (const route of routes) {
    const parsers = route.raw === true ? [] : [yaml, json];
    app[route.method](route.path, ...parsers, async (request: Request, response: Response) => {
      const call = await callOf(cc, route, request, response);
      let result: Reply | object;
      try {
        result = await route.handle(call);
      } finally {
        // Neither a reply nor a refusal may tell of what a crash would take back.
        await cc.store.settled();
      }
      await send(response, result);
    });
  }
  app.use(async (request: Request) => {
    await callerOf(cc, request);
    throw cfError('NotFound');
  });
  app.use(failed(cc));
  return app;
}

const isMultipart = (type: string | undefined): boolean => type?.startsWith('multipart/') === true;

async function callerOf(cc: Cc, request: Request): Promise<Caller> {
  const { authorization } = request.headers;
  if (authorization === undefined || authorization === '') throw cfError('NotAuthenticated');
  const caller = await cc.authenticate(authorization);
  if (!caller) throw cfError('InvalidAuthToken');
  return caller;
}

async function callOf(cc: Cc, route: Route, request: Request, response: Response): Promise<Call> {
  const caller = route.open === true ? NOBODY : await callerOf(cc, request);
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  const url = request.originalUrl;
  return {
    caller,
    access: new Access(cc.store, caller),
    params: request.params as Record<string, string>,
    query: new Map(new URLSearchParams(url.split('?').slice(1).join('?'))),
    url,
    href: (path) => `${cc.config.api_url}${path}`,
    body: request.body as unknown,
    request,
    signal: gone.signal,
    parse(schema) {
      const parsed = schema.safeParse(request.body ?? {});
      if (!parsed.success) throw invalid(...describe(parsed.error));
      return parsed.data;
    },
  };
}

async function send(response: Response, result: Reply | object): Promise<void> {
  const { status, body, headers = {}, send: write } = isReply(result) ? result : { status: 200, body: result };
  response.status(status).set(headers);
  if (write) await write(response);
  else if (typeof body === 'string') response.send(body);
  else if (body === undefined) response.end();
  else response.json(body);
}

/** Whatever was thrown, in CC's words. */
export function toCfError(err: unknown): CfError {
  if (err instanceof CfError) return err;
  // What express's own parsers throw.
  if (err instanceof Error && 'status' in err && typeof err.status === 'number' && err.status < 500)
    return err.status === 413 ? cfError('UploadTooLarge', 'allowed') : cfError('MessageParseError', err.message);
  // Of our own rooms: the cause as it is, for the user has the machine too.
  if (err instanceof UnikError && err.code !== 'internal')
    return new CfError(err.http, [
      { ...itemOf('ServerError'), title: `CF-${err.code}`, detail: `${err.message} (${err.hint})` },
    ]);
  return cfError('ServerError');
}

function failed({ log }: Cc): ErrorRequestHandler {
  return (err: unknown, request: Request, response: Response, next) => {
    const error = toCfError(err);
    if (error.status >= 500) log.error({ err, path: request.path, reason: messageOf(err) }, 'cc.failed');
    if (response.headersSent) next(err);
    else response.status(error.status).json({ errors: error.errors });
  };
}

/** The row, where there is one: `found(store.stack.get(guid), 'Stack')`. */
export function found<R>(row: R | undefined, what: string): R {
  if (row === undefined) throw notFound(what);
  return row;
}
