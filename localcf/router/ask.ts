/** One request to one instance: its reply, its change of protocol, or why there was neither. */
import { request as connect, type Agent, type ClientRequest, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { messageOf } from '../../core/errors.js';
import type { Endpoint } from './pool.js';
import type { Pairs } from './headers.js';

export interface Question {
  endpoint: Endpoint;
  method: string;
  /** Path and query. */
  url: string;
  headers: Pairs;
  /** Absent: there is none. Read from the moment on at which the instance is connected. */
  body?: IncomingMessage;
  onBody: (bytes: number) => void;
  /** The same request may be made again: GET and its like, without a body. */
  isRepeatable: boolean;
  agent: Agent;
  dial_ms: number;
  /** Gives up. */
  signal: AbortSignal;
  onContinue: () => void;
}

export type Answer =
  | { kind: 'replied'; reply: IncomingMessage }
  | { kind: 'upgraded'; reply: IncomingMessage; socket: Socket; head: Buffer }
  /** `isHarmless`: nothing of it was read by the instance, or it may be repeated: another one may be asked. */
  | { kind: 'failed'; reason: string; isHarmless: boolean };

/** Never rejects. */
export async function ask(question: Question): Promise<Answer> {
  const first = await once(question, question.isRepeatable ? question.agent : false);
  // An idle connection may have been closed by the instance in the moment in which we took it.
  if (first.kind !== 'failed' || !first.wasReused || !first.isHarmless) return first;
  return once(question, false);
}

type Outcome = Exclude<Answer, { kind: 'failed' }> | (Extract<Answer, { kind: 'failed' }> & { wasReused: boolean });

function once(question: Question, agent: Agent | false): Promise<Outcome> {
  const { endpoint, method, url, headers, body, onBody, isRepeatable, dial_ms, signal, onContinue } = question;
  return new Promise((resolve) => {
    let isConnected = false;
    let out: ClientRequest | undefined;
    const fail = (err: unknown): void => {
      body?.unpipe();
      const isHarmless = !signal.aborted && (!isConnected || isRepeatable);
      const reason = isConnected ? messageOf(err) : `dial tcp ${endpoint.host}:${endpoint.port}: ${messageOf(err)}`;
      resolve({ kind: 'failed', reason, isHarmless, wasReused: out?.reusedSocket ?? false });
    };
    try {
      const { host, port } = endpoint;
      // Go's reader takes lines that end without a carriage return; what Node then lets by is made well in `returned`.
      const lenient = { insecureHTTPParser: true };
      out = connect({ host, port, method, path: url, headers, agent, signal, setHost: false, ...lenient });
    } catch (err) {
      // A header or path that Node does not send.
      resolve({ kind: 'failed', reason: messageOf(err), isHarmless: false, wasReused: false });
      return;
    }
    const sent = out;
    const late = setTimeout(() => sent.destroy(new Error(`i/o timeout after ${dial_ms} ms`)), dial_ms);
    sent.on('error', fail);
    sent.once('close', () => clearTimeout(late));
    sent.once('response', (reply) => resolve({ kind: 'replied', reply }));
    sent.once('upgrade', (reply, socket, head) => resolve({ kind: 'upgraded', reply, socket, head }));
    sent.on('continue', onContinue);
    sent.once('socket', (socket) => {
      const begin = (): void => {
        isConnected = true;
        clearTimeout(late);
        body?.on('data', (chunk: Buffer) => onBody(chunk.length)).pipe(sent);
      };
      if (socket.connecting) socket.once('connect', begin);
      else begin();
    });
    if (!body) sent.end();
  });
}
