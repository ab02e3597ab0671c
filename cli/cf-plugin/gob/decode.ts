import { UnikError } from '../../../core/errors.js';
import { BUILTIN, type GobValue } from './types.js';

/** A type as the other side defined it. */
type WireType =
  | { kind: 'array' | 'slice'; elem: number }
  | { kind: 'struct'; fields: { name: string; id: number }[] }
  | { kind: 'map'; key: number; elem: number }
  | { kind: 'opaque' };

/** Longer messages are refused before they are held in memory. Answers of the CLI are some kilobytes. */
const MAX_MESSAGE = 16 << 20;
const MAX_DEPTH = 64;

/**
 * The receiving half of one connection. Bytes go in as they come, values come out in their order; what the types are is
 * learned from the stream. Fields that hold nothing are not sent, and so are absent here. Throws bad_reply.
 */
export class GobDecoder {
  readonly #types = new Map<number, WireType>();
  #held = new Uint8Array();

  feed(chunk: Uint8Array): void {
    const all = new Uint8Array(this.#held.length + chunk.length);
    all.set(this.#held);
    all.set(chunk, this.#held.length);
    this.#held = all;
  }

  /** The next value; undefined: its last byte has not come yet. */
  take(): { value: GobValue } | undefined {
    for (;;) {
      const body = this.#message();
      if (body === undefined) return undefined;
      const id = Number(body.signed());
      if (id < 0) {
        this.#learn(-id, body);
        body.mustBeEmpty();
        continue;
      }
      const value = this.#top(id, body);
      body.mustBeEmpty();
      return { value };
    }
  }

  #message(): Reader | undefined {
    const length = peekUnsigned(this.#held);
    if (length === undefined) return undefined;
    if (length.value > MAX_MESSAGE) throw bad(`a message of ${length.value} bytes`);
    const end = length.size + Number(length.value);
    if (this.#held.length < end) return undefined;
    const body = new Reader(this.#held.subarray(length.size, end));
    this.#held = this.#held.slice(end);
    return body;
  }

  #learn(id: number, body: Reader): void {
    if (this.#types.has(id)) throw bad(`type ${id} is defined twice`);
    this.#types.set(id, wireType(body));
  }

  #top(id: number, body: Reader): GobValue {
    if (this.#types.get(id)?.kind !== 'struct' && body.unsigned() !== 0n) throw bad('a value without its marker');
    return this.#value(id, body, 0);
  }

  #value(id: number, from: Reader, depth: number): GobValue {
    if (depth > MAX_DEPTH) throw bad('values nested too deeply');
    switch (id) {
      case BUILTIN.bool:
        return from.unsigned() !== 0n;
      case BUILTIN.int:
        return small(from.signed());
      case BUILTIN.uint:
        return small(from.unsigned());
      case BUILTIN.float:
        return from.float();
      case BUILTIN.bytes:
        return from.bytes();
      case BUILTIN.string:
        return from.text();
    }
    const type = this.#types.get(id);
    switch (type?.kind) {
      case 'array':
      case 'slice':
        return Array.from({ length: from.count() }, () => this.#value(type.elem, from, depth + 1));
      case 'map':
        return new Map(
          Array.from({ length: from.count() }, () => {
            const key = this.#value(type.key, from, depth + 1);
            return [key, this.#value(type.elem, from, depth + 1)] as const;
          }),
        );
      case 'struct':
        return this.#struct(type.fields, from, depth);
      case 'opaque':
        return from.bytes();
      default:
        throw bad(`type ${id} was never defined`);
    }
  }

  #struct(fields: readonly { name: string; id: number }[], from: Reader, depth: number): GobValue {
    const sent = new Map<string, GobValue>();
    for (const index of from.fields()) {
      const field = fields[index];
      if (field === undefined) throw bad(`a struct of ${fields.length} fields has no field ${index}`);
      sent.set(field.name, this.#value(field.id, from, depth + 1));
    }
    return Object.fromEntries(sent);
  }
}

/** A wireType: which of its fields is there says the kind. */
function wireType(from: Reader): WireType {
  let type: WireType | undefined;
  for (const kind of from.fields()) {
    if (kind === 0) type = { kind: 'array', elem: ids(from)[1] ?? 0 };
    else if (kind === 1) type = { kind: 'slice', elem: ids(from)[1] ?? 0 };
    else if (kind === 2) type = { kind: 'struct', fields: structFields(from) };
    else if (kind === 3) {
      const [, key = 0, elem = 0] = ids(from);
      type = { kind: 'map', key, elem };
    } else if (kind <= 6) {
      ids(from);
      type = { kind: 'opaque' };
    } else throw bad(`a definition of kind ${kind}`);
  }
  if (type === undefined) throw bad('a definition that says nothing');
  return type;
}

/** The fields after the CommonType, which are all ids (or an array's length), by their number. */
function ids(from: Reader): number[] {
  const found: number[] = [];
  for (const index of from.fields()) {
    if (index === 0) commonType(from);
    else found[index] = Number(from.signed());
  }
  return found;
}

function commonType(from: Reader): void {
  for (const index of from.fields()) {
    if (index === 0) from.text();
    else from.signed();
  }
}

function structFields(from: Reader): { name: string; id: number }[] {
  let fields: { name: string; id: number }[] = [];
  for (const index of from.fields()) {
    if (index === 0) commonType(from);
    else fields = Array.from({ length: from.count() }, () => structField(from));
  }
  return fields;
}

function structField(from: Reader): { name: string; id: number } {
  const field = { name: '', id: 0 };
  for (const index of from.fields()) {
    if (index === 0) field.name = from.text();
    else field.id = Number(from.signed());
  }
  return field;
}

/** One message's bytes, from front to back. */
class Reader {
  #at = 0;
  constructor(private readonly data: Uint8Array) {}

  unsigned(): bigint {
    const found = peekUnsigned(this.data.subarray(this.#at));
    if (found === undefined) throw bad('a number is cut off');
    this.#at += found.size;
    return found.value;
  }

  signed(): bigint {
    const value = this.unsigned();
    return (value & 1n) === 1n ? -(value >> 1n) - 1n : value >> 1n;
  }

  /** Numbers of the fields that follow, counted from 0; ends at the struct's closing zero. */
  *fields(): Generator<number> {
    for (let index = -1; ;) {
      const step = this.unsigned();
      if (step === 0n) return;
      index += this.#bounded(step, 1 << 16);
      yield index;
    }
  }

  /** How many elements follow: each takes a byte at least. */
  count(): number {
    return this.#bounded(this.unsigned(), this.data.length - this.#at);
  }

  bytes(): Uint8Array {
    const length = this.count();
    const found = this.data.slice(this.#at, this.#at + length);
    this.#at += length;
    return found;
  }

  text(): string {
    return new TextDecoder().decode(this.bytes());
  }

  /** The bytes of a float64 come in reverse, so that round numbers are short. */
  float(): number {
    const view = new DataView(new ArrayBuffer(8));
    view.setBigUint64(0, this.unsigned(), true);
    return view.getFloat64(0);
  }

  mustBeEmpty(): void {
    if (this.#at !== this.data.length) throw bad(`${this.data.length - this.#at} bytes too many in a message`);
  }

  #bounded(value: bigint, most: number): number {
    if (value > BigInt(most)) throw bad(`a count of ${value} where at most ${most} fit`);
    return Number(value);
  }
}

/** The number at the front and how many bytes it takes; undefined: it is not all there. */
function peekUnsigned(data: Uint8Array): { value: bigint; size: number } | undefined {
  const [first] = data;
  if (first === undefined) return undefined;
  if (first < 128) return { value: BigInt(first), size: 1 };
  const length = 256 - first;
  if (length > 8) throw bad(`a number of ${length} bytes`);
  if (data.length < 1 + length) return undefined;
  let value = 0n;
  for (const byte of data.subarray(1, 1 + length)) value = (value << 8n) | BigInt(byte);
  return { value, size: 1 + length };
}

const small = (value: bigint): number | bigint =>
  value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;

const bad = (what: string): UnikError => new UnikError('bad_reply', `the cf CLI sent ${what}`);
