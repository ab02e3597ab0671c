import { readFile } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { Agent, request } from 'undici';
import type { Clock } from '../../../core/clock.js';
import { messageOf, UnikError } from '../../../core/errors.js';
import { OpenStackError, readRefusal } from './errors.js';

export interface HttpOrder {
  /** Names it in errors, such as `nova POST /servers`. */
  call: string;
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  url: string;
  headers?: Record<string, string>;
  json?: unknown;
  /** Made anew for each try. */
  stream?: { type: string; bytes: number; open(): Readable };
  /** A second time does no harm. Default: all but POST. */
  again?: boolean;
  signal?: AbortSignal | undefined;
}

export interface HttpAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  /** JSON where it is that, else undefined. */
  body: unknown;
}

const ANSWER_MS = 60_000;
const UPLOAD_MS = 30 * 60_000;
const TRIES = 6;
const WAIT_MS = 500;
const LONGEST_MS = 30_000;

/**
 * HTTP to the services of one cloud. A service that says it has too much to do is left alone by all of our calls for as
 * long as it asked, or else twice as long each time. What may have been carried out is repeated only where that is harmless.
 */
export class Http {
  readonly #agents = new Map<string, Promise<Agent>>();
  /** When each service may be asked again. */
  readonly #calm = new Map<string, number>();

  constructor(private readonly clock: Clock) {}

  /** `ca_file`: whom to trust. Throws OpenStackError for every status of 400 and above. */
  async send(order: HttpOrder, ca_file: string | undefined): Promise<HttpAnswer> {
    const { signal } = order;
    const again = order.again ?? order.method !== 'POST';
    const service = order.call.split(' ')[0] ?? '';
    for (let attempt = 1; ; attempt++) {
      const pause = (this.#calm.get(service) ?? 0) - this.clock.now();
      if (pause > 0) await this.clock.sleep(pause, signal);
      const answer = await this.#once(order, ca_file);
      if (answer instanceof OpenStackError) {
        if (!again || attempt >= TRIES) throw answer;
        await this.clock.sleep(backoff(attempt), signal);
        continue;
      }
      const { status } = answer;
      if (status < 400) return answer;
      const wait = waitAsked(answer, this.clock.now());
      // It refused to begin: no call is harmed by a second try.
      const busy = status === 429 || (wait !== undefined && (status === 413 || status === 503));
      if (attempt < TRIES && (busy || (again && status >= 500 && status !== 501))) {
        const ms = Math.min(wait ?? backoff(attempt), LONGEST_MS);
        if (busy) this.#calm.set(service, this.clock.now() + ms);
        else await this.clock.sleep(ms, signal);
        continue;
      }
      throw new OpenStackError(order.call, { status, ...readRefusal(answer.text) });
    }
  }

  close(): void {
    for (const agent of this.#agents.values()) void agent.then((one) => one.destroy()).catch(() => undefined);
  }

  async #once(
    { call, method, url, headers, json, stream, signal }: HttpOrder,
    ca_file: string | undefined,
  ): Promise<(HttpAnswer & { text: string }) | OpenStackError> {
    const dispatcher = await this.#agent(ca_file);
    const type = stream ? { 'content-type': stream.type, 'content-length': String(stream.bytes) } : {};
    const content = json === undefined ? type : { 'content-type': 'application/json' };
    const body = stream?.open() ?? (json === undefined ? undefined : JSON.stringify(json));
    try {
      const sent = await request(url, {
        ...{ method, dispatcher, headers: { accept: 'application/json', ...content, ...headers } },
        ...{ headersTimeout: stream ? UPLOAD_MS : ANSWER_MS, bodyTimeout: ANSWER_MS },
        ...(body === undefined ? {} : { body }),
        ...(signal ? { signal } : {}),
      });
      const text = await sent.body.text();
      return { status: sent.statusCode, headers: sent.headers, body: parsed(text), text };
    } catch (err) {
      signal?.throwIfAborted();
      return new OpenStackError(call, { kind: '', message: `no answer of ${new URL(url).host}: ${messageOf(err)}` });
    } finally {
      if (typeof body === 'object') body.destroy();
    }
  }

  #agent(ca_file: string | undefined): Promise<Agent> {
    const name = ca_file ?? '';
    const known = this.#agents.get(name);
    if (known) return known;
    const agent = makeAgent(ca_file);
    this.#agents.set(name, agent);
    agent.catch(() => this.#agents.delete(name));
    return agent;
  }
}

async function makeAgent(ca_file: string | undefined): Promise<Agent> {
  const connect = { timeout: 10_000 };
  if (ca_file === undefined) return new Agent({ connect });
  const ca = await readFile(ca_file).catch((err: unknown) => {
    throw new UnikError('config_invalid', `ca_file ${ca_file}: ${messageOf(err)}`);
  });
  return new Agent({ connect: { ...connect, ca } });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** `Retry-After`, as seconds or as a date; milliseconds from now. */
function waitAsked({ headers }: HttpAnswer, now: number): number | undefined {
  const value = headers['retry-after'];
  if (typeof value !== 'string') return undefined;
  const seconds = Number(value);
  const ms = Number.isFinite(seconds) ? seconds * 1_000 : Date.parse(value) - now;
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

function backoff(attempt: number): number {
  return Math.min(LONGEST_MS, WAIT_MS * 2 ** (attempt - 1)) * (0.5 + Math.random() / 2);
}
