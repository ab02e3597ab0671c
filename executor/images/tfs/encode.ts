/**
 * The values of TFS, the log-structured file system of Nanos: tuples of named values, with a dictionary that both sides
 * build while they go. Source: nanos, src/runtime/tuple.c and buffer.h (2026-07).
 */

/** A tuple in memory. A plain object would not keep names such as `__proto__`. */
export type Tuple = Map<string, Value>;
export type Value = Tuple | string | Uint8Array | number | readonly Value[];

const SYMBOL = 0;
const TUPLE = 1;
const VECTOR = 2;
const INTEGER = 3;
const STRING = 4;

export const tuple = (values: Readonly<Record<string, Value>>): Tuple => new Map(Object.entries(values));

/** A growing buffer with the dictionary of what was written. Names are `latin1`: a character is a byte. */
export class Encoder {
  #bytes = Buffer.alloc(64 * 1024);
  #used = 0;
  /** Tuples, vectors and symbols written in full, counted from 1. */
  #count = 0;
  readonly #symbols = new Map<string, number>();

  bytes(): Buffer {
    return this.#bytes.subarray(0, this.#used);
  }

  value(value: Value): void {
    if (typeof value === 'number') this.#integer(value);
    else if (typeof value === 'string' || value instanceof Uint8Array) this.#string(value);
    else if (value instanceof Map) this.#tuple(value);
    else this.#vector(value);
  }

  /** Changes values of a tuple that the reader knows by its number. */
  update(index: number, values: Tuple): void {
    this.#header(false, TUPLE, values.size);
    this.varint(index);
    this.#pairs(values);
  }

  varint(number: number): void {
    const groups = [number % 128];
    for (let rest = Math.floor(number / 128); rest > 0; rest = Math.floor(rest / 128))
      groups.unshift((rest % 128) | 128);
    for (const group of groups) this.byte(group);
  }

  byte(value: number): void {
    this.#room(1);
    this.#bytes[this.#used++] = value;
  }

  raw(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  #tuple(values: Tuple): void {
    this.#header(true, TUPLE, values.size);
    this.#count++;
    this.#pairs(values);
  }

  #vector(values: readonly Value[]): void {
    this.#header(true, VECTOR, values.length);
    this.#count++;
    values.forEach((value) => this.value(value));
  }

  #pairs(values: Tuple): void {
    for (const [name, value] of values) {
      this.#symbol(name);
      this.value(value);
    }
  }

  #symbol(name: string): void {
    const known = this.#symbols.get(name);
    if (known !== undefined) {
      this.#header(false, SYMBOL, known);
      return;
    }
    const bytes = Buffer.from(name, 'latin1');
    this.#header(true, SYMBOL, bytes.length);
    this.raw(bytes);
    this.#symbols.set(name, ++this.#count);
  }

  #integer(number: number): void {
    this.#header(true, INTEGER, number < 0 ? 1 : 0);
    this.varint(Math.abs(number));
  }

  #string(value: string | Uint8Array): void {
    const bytes = typeof value === 'string' ? Buffer.from(value) : value;
    this.#header(true, STRING, bytes.length);
    this.raw(bytes);
  }

  /** A bit "in full", three of type, one "more", three of the length; then seven of the length each. */
  #header(full: boolean, type: number, length: number): void {
    const bits = length.toString(2).length;
    const more = bits > 3 ? Math.ceil((bits - 3) / 7) : 0;
    this.byte((full ? 0x80 : 0) | (type << 4) | (more > 0 ? 8 : 0) | Math.floor(length / 2 ** (7 * more)));
    for (let i = more - 1; i >= 0; i--) this.byte((Math.floor(length / 2 ** (7 * i)) % 128) | (i > 0 ? 0x80 : 0));
  }

  #room(bytes: number): void {
    if (this.#used + bytes <= this.#bytes.length) return;
    const larger = Buffer.alloc(Math.max(this.#bytes.length * 2, this.#used + bytes));
    this.bytes().copy(larger);
    this.#bytes = larger;
  }
}
