import { once } from 'node:events';
import { Agent, request, type IncomingMessage, type RequestOptions } from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { text as textOf } from 'node:stream/consumers';
import { ERRORS, hasCode, messageOf, readError, UnikError } from '../core/errors.js';
import { jsonOf } from '../core/json.js';
import { PATHS, type Place } from '../backend/api/schema/paths.js';
import type { CallInput, LineOf, ReplyOf, RouteName } from '../backend/api/schema/routes.js';
import type { Target } from './target.js';

interface Extras {
  signal?: AbortSignal;
  /** A raw body instead of a JSON one. */
  upload?: Readable;
}

type Query = Record<string, string | number | boolean | undefined>;

interface Parts {
  params?: Record<string, string>;
  query?: Query;
  body?: unknown;
}

/** Calls the routes of the API by name, with their types. Every failure is a UnikError. */
export class Client {
  readonly #agent: Agent;
  readonly #to: RequestOptions;

  constructor(readonly target: Target) {
    if (target.kind === 'unix') {
      this.#agent = new Agent({ keepAlive: true });
      this.#to = { socketPath: target.path, host: 'unik' };
    } else {
      const { hostname, port } = new URL(target.url);
      const { ca } = target;
      this.#agent = new TlsAgent({ keepAlive: true, ...(ca !== undefined ? { ca } : {}) });
      // An address of IPv6 stands in brackets in a URL, and nowhere else.
      this.#to = { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? 443 : Number(port) };
    }
  }

  async call<N extends RouteName>(name: N, input: CallInput<N>, extras: Extras = {}): Promise<ReplyOf<N>> {
    return JSON.parse(await textOf(await this.#send(name, input, 'application/json', extras))) as ReplyOf<N>;
  }

  /** Resolves when the daemon has accepted; then gives lines as they come. One that tells of a failure is thrown. */
  async stream<N extends RouteName>(
    name: N,
    input: CallInput<N>,
    extras: Extras = {},
  ): Promise<AsyncGenerator<LineOf<N>>> {
    return values<LineOf<N>>(await this.#send(name, input, 'application/x-ndjson', extras));
  }

  async download<N extends RouteName>(name: N, input: CallInput<N>): Promise<Readable> {
    return this.#send(name, input, '*/*', {});
  }

  async close(): Promise<void> {
    this.#agent.destroy();
  }

  async #send(name: RouteName, input: unknown, accept: string, { upload, signal }: Extras): Promise<IncomingMessage> {
    const place: Place = PATHS[name];
    const { params = {}, query = {}, body } = input as Parts;
    const path = place.path.replace(/\{(\w+)\}/g, (_, key: string) => encodeURIComponent(params[key] ?? ''));
    const json = upload === undefined && body !== undefined ? Buffer.from(JSON.stringify(body)) : undefined;
    const headers: Record<string, string | number> = { accept };
    if (upload) headers['content-type'] = place.upload ?? '';
    if (json) {
      headers['content-type'] = 'application/json';
      headers['content-length'] = json.length;
    }
    if (this.target.kind === 'tcp') headers['authorization'] = `Bearer ${this.target.token}`;
    const open = this.target.kind === 'tcp' ? tlsRequest : request;
    const call = open({
      ...this.#to,
      agent: this.#agent,
      method: place.method.toUpperCase(),
      path: path + search(query),
      headers,
      ...(signal ? { signal } : {}),
    });
    let response: IncomingMessage;
    try {
      // The daemon may think for as long as a build takes; only the way to it has a limit.
      const connecting = this.target.kind === 'tcp' ? limitConnect(call) : undefined;
      const answer = once(call, 'response') as Promise<[IncomingMessage]>;
      if (upload)
        pipeline(upload, call).catch(() => undefined); // what went wrong is told by the call itself
      else call.end(json);
      [response] = await answer;
      connecting?.();
    } catch (err) {
      throw unreachable(err, this.target);
    }
    if ((response.statusCode ?? 500) < 400) return response;
    throw await refusal(response);
  }
}

/** Gives up after 10 s without a connection. Returns what calls that off. */
function limitConnect(call: ReturnType<typeof request>): () => void {
  const timer = setTimeout(() => call.destroy(new Error('no connection within 10 s')), 10_000);
  const off = (): void => clearTimeout(timer);
  call.on('socket', (socket) => socket.once('connect', off));
  call.once('error', off);
  return off;
}

function search(query: Query): string {
  const text = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) if (value !== undefined) text.set(key, String(value));
  return text.size === 0 ? '' : `?${text.toString()}`;
}

async function refusal(response: IncomingMessage): Promise<UnikError> {
  const said = await textOf(response);
  return (
    readError(jsonOf(said)) ??
    new UnikError('internal', `the daemon answered with status ${response.statusCode ?? 0}: ${said.slice(0, 200)}`)
  );
}

const UNREACHABLE = ['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EACCES', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH'];

function unreachable(err: unknown, target: Target): UnikError {
  if (err instanceof Error && err.name === 'AbortError')
    return new UnikError('timeout', 'the call was given up', { cause: err });
  const where = target.kind === 'unix' ? target.path : target.url;
  const known = UNREACHABLE.some((code) => hasCode(err, code)) || target.kind === 'tcp';
  const code = known ? 'daemon_unreachable' : 'internal';
  return new UnikError(code, `no daemon answers at ${where}: ${messageOf(err) || ERRORS[code].hint}`, { cause: err });
}

async function* values<T>(body: AsyncIterable<Uint8Array>): AsyncGenerator<T> {
  for await (const line of lines(body)) {
    const value: unknown = JSON.parse(line);
    const failed = typeof value === 'object' && value !== null && 'error' in value ? readError(value.error) : undefined;
    if (failed) throw failed;
    yield value as T;
  }
}

async function* lines(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for await (const chunk of body) {
      rest += decoder.decode(chunk, { stream: true });
      const whole = rest.split('\n');
      rest = whole.pop() ?? '';
      yield* whole.filter((line) => line !== '');
    }
  } catch (err) {
    if (err instanceof Error && err.name === 'AbortError') return;
    throw new UnikError('daemon_unreachable', `the daemon went away: ${messageOf(err)}`, { cause: err });
  }
  if (rest !== '') yield rest;
}
