import type { Readable } from 'node:stream';
import { Agent, request, type Dispatcher } from 'undici';
import { ERRORS, hasCode, messageOf, UnikError } from '../core/errors.js';
import { errorBody, streamError } from '../backend/api/schema/common.js';
import {
  ROUTES,
  type CallInput,
  type LineOf,
  type ReplyOf,
  type Route,
  type RouteName,
} from '../backend/api/schema/routes.js';
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
  readonly #dispatcher: Agent;
  readonly #origin: string;

  constructor(readonly target: Target) {
    // The daemon may think for as long as a build takes, and a followed log may be silent for days.
    const patience = { headersTimeout: 0, bodyTimeout: 0 };
    if (target.kind === 'unix') {
      this.#origin = 'http://unik';
      this.#dispatcher = new Agent({ ...patience, connect: { socketPath: target.path } });
    } else {
      this.#origin = target.url;
      const { ca } = target;
      this.#dispatcher = new Agent({ ...patience, connect: { timeout: 10_000, ...(ca !== undefined ? { ca } : {}) } });
    }
  }

  async call<N extends RouteName>(name: N, input: CallInput<N>, extras: Extras = {}): Promise<ReplyOf<N>> {
    const { body } = await this.#send(name, input, 'application/json', extras);
    return (await body.json()) as ReplyOf<N>;
  }

  /** Resolves when the daemon has accepted; then gives lines as they come. One that tells of a failure is thrown. */
  async stream<N extends RouteName>(
    name: N,
    input: CallInput<N>,
    extras: Extras = {},
  ): Promise<AsyncGenerator<LineOf<N>>> {
    const { body } = await this.#send(name, input, 'application/x-ndjson', extras);
    return values<LineOf<N>>(body);
  }

  async download<N extends RouteName>(name: N, input: CallInput<N>): Promise<Readable> {
    return (await this.#send(name, input, '*/*', {})).body;
  }

  async close(): Promise<void> {
    await this.#dispatcher.destroy();
  }

  async #send(name: RouteName, input: unknown, accept: string, extras: Extras): Promise<Dispatcher.ResponseData> {
    const route: Route = ROUTES[name];
    const { params = {}, query = {}, body } = input as Parts;
    const path = route.path.replace(/\{(\w+)\}/g, (_, key: string) => encodeURIComponent(params[key] ?? ''));
    const { upload } = extras;
    const headers: Record<string, string> = { accept };
    if (upload) headers['content-type'] = route.upload ?? '';
    else if (body !== undefined) headers['content-type'] = 'application/json';
    if (this.target.kind === 'tcp') headers['authorization'] = `Bearer ${this.target.token}`;
    let response: Dispatcher.ResponseData;
    try {
      response = await request(this.#origin + path + search(query), {
        dispatcher: this.#dispatcher,
        method: route.method.toUpperCase() as Uppercase<Route['method']>,
        headers,
        ...(upload ? { body: upload } : body !== undefined ? { body: JSON.stringify(body) } : {}),
        ...(extras.signal ? { signal: extras.signal } : {}),
      });
    } catch (err) {
      throw unreachable(err, this.target);
    }
    if (response.statusCode < 400) return response;
    throw await refusal(response);
  }
}

function search(query: Query): string {
  const text = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) if (value !== undefined) text.set(key, String(value));
  return text.size === 0 ? '' : `?${text.toString()}`;
}

async function refusal(response: Dispatcher.ResponseData): Promise<UnikError> {
  const text = await response.body.text();
  try {
    const { code, message } = errorBody.parse(JSON.parse(text));
    return new UnikError(code, message);
  } catch {
    return new UnikError('internal', `the daemon answered with status ${response.statusCode}: ${text.slice(0, 200)}`);
  }
}

const UNREACHABLE = [
  'ENOENT',
  'ECONNREFUSED',
  'ECONNRESET',
  'EACCES',
  'UND_ERR_SOCKET',
  'UND_ERR_CONNECT_TIMEOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
];

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
    const failed = streamError.safeParse(value);
    if (failed.success) throw new UnikError(failed.data.error.code, failed.data.error.message);
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
