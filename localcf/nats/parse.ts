/** The client's side of the NATS protocol, out of bytes (docs.nats.io, client protocol; headers are not offered). */
import { UnikError } from '../../core/errors.js';
import { jsonOf } from '../../core/json.js';

export type Command =
  | { do: 'connect'; options: Record<string, unknown> }
  | { do: 'ping' }
  | { do: 'pong' }
  | { do: 'subscribe'; subject: string; sid: string }
  /** `most`: it ends by itself after so many messages; undefined: now. */
  | { do: 'unsubscribe'; sid: string; most: number | undefined }
  | { do: 'publish'; subject: string; reply: string; payload: Buffer };

const LONGEST_LINE = 4_096;

/** Bytes as they come in, commands out. */
export class CommandReader {
  #pending: Buffer = Buffer.alloc(0);

  constructor(private readonly max_payload: number) {}

  /** Throws bad_request where the peer does not keep to the protocol. */
  read(bytes: Buffer): Command[] {
    this.#pending = Buffer.concat([this.#pending, bytes]);
    const commands: Command[] = [];
    for (let one = this.#next(); one; one = this.#next()) commands.push(one);
    return commands;
  }

  #next(): Command | undefined {
    const end = this.#pending.indexOf('\r\n');
    if (end < 0 || end > LONGEST_LINE) {
      if (this.#pending.length > LONGEST_LINE) throw new UnikError('bad_request', 'Maximum Control Line Exceeded');
      return undefined;
    }
    const line = this.#pending.subarray(0, end).toString();
    const [verb = '', ...words] = line.trim().split(/\s+/);
    if (verb.toUpperCase() !== 'PUB') {
      this.#pending = this.#pending.subarray(end + 2);
      return command(verb.toUpperCase(), words, line);
    }
    const size = Number(words.at(-1));
    if (words.length < 2 || words.length > 3 || !Number.isInteger(size) || size < 0) throw unknown();
    if (size > this.max_payload) throw new UnikError('bad_request', 'Maximum Payload Violation');
    const from = end + 2;
    if (this.#pending.length < from + size + 2) return undefined;
    const payload = Buffer.from(this.#pending.subarray(from, from + size));
    this.#pending = this.#pending.subarray(from + size + 2);
    return { do: 'publish', subject: words[0] ?? '', reply: words.length === 3 ? (words[1] ?? '') : '', payload };
  }
}

function command(verb: string, words: string[], line: string): Command {
  const [first = '', second] = words;
  switch (verb) {
    case 'PING':
      return { do: 'ping' };
    case 'PONG':
      return { do: 'pong' };
    case 'CONNECT':
      return { do: 'connect', options: connectOptions(line.slice(line.indexOf(' ') + 1)) };
    case 'SUB':
      // Between subject and id may stand a group whose members share the messages; nobody here uses one.
      if (words.length !== 2) throw unknown();
      return { do: 'subscribe', subject: first, sid: second ?? '' };
    case 'UNSUB':
      return { do: 'unsubscribe', sid: first, most: second === undefined ? undefined : Number(second) };
    default:
      throw unknown();
  }
}

function connectOptions(text: string): Record<string, unknown> {
  const value = jsonOf(text);
  if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  throw unknown();
}

const unknown = (): UnikError => new UnikError('bad_request', 'Unknown Protocol Operation');

/** `*` is one word, `>` at the end is one or more. */
export function matches(pattern: string, subject: string): boolean {
  const [wanted, words] = [pattern.split('.'), subject.split('.')];
  const open = wanted.at(-1) === '>';
  if (open ? words.length < wanted.length : words.length !== wanted.length) return false;
  return wanted.every((word, i) => word === '*' || (open && i === wanted.length - 1) || word === words[i]);
}
