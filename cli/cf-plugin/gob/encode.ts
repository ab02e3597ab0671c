import { UnikError } from '../../../core/errors.js';
import { BUILTIN, FIRST_ID, type GobType, type GobValue } from './types.js';

type Composite = Exclude<GobType, string>;

/** The sending half of one connection: it remembers which types the other side was told. */
export class GobEncoder {
  readonly #ids = new Map<Composite, number>();
  readonly #told = new Set<Composite>();

  /** The messages that carry `value`: definitions the other side has not had, then the value. Throws bad_request. */
  encode(type: GobType, value: GobValue): Uint8Array {
    const id = this.#id(type);
    const definitions: Uint8Array[] = [];
    this.#define(type, definitions);
    // A value that is no struct is preceded by a zero, as if it were the only field of one.
    const body = isStruct(type) ? [] : [Uint8Array.of(0)];
    return concat([...definitions, message(id, [...body, this.#value(type, value)])]);
  }

  /** In Go's order: a struct has its id before its fields, a slice or map after its elements. */
  #id(type: GobType): number {
    if (typeof type === 'string') return BUILTIN[type];
    const known = this.#ids.get(type);
    if (known !== undefined) return known;
    if ('struct' in type) {
      const id = this.#give(type);
      for (const [, field] of type.fields) this.#id(field);
      return id;
    }
    for (const part of parts(type)) this.#id(part);
    return this.#give(type);
  }

  #give(type: Composite): number {
    const id = FIRST_ID + this.#ids.size;
    this.#ids.set(type, id);
    return id;
  }

  #define(type: GobType, out: Uint8Array[]): void {
    if (typeof type === 'string' || this.#told.has(type)) return;
    this.#told.add(type);
    out.push(message(-this.#id(type), [this.#definition(type)]));
    for (const part of parts(type)) this.#define(part, out);
  }

  /** A wireType: one field that says which kind (2 slice, 3 struct, 4 map), each with its CommonType first. */
  #definition(type: Composite): Uint8Array {
    const end = Uint8Array.of(0);
    const common = (name: string) =>
      concat([unsigned(1), named(name), unsigned(name === '' ? 2 : 1), signed(this.#id(type)), end]);
    if ('slice' in type) {
      return concat([unsigned(2), common(type.name ?? ''), unsigned(1), signed(this.#id(type.slice)), end, end]);
    }
    if ('map' in type) {
      const { key, value } = type.map;
      const elements = [unsigned(1), signed(this.#id(key)), unsigned(1), signed(this.#id(value))];
      return concat([unsigned(4), common(type.name ?? ''), ...elements, end, end]);
    }
    const fields = type.fields.flatMap(([name, field]) => [named(name), unsigned(1), signed(this.#id(field)), end]);
    return concat([unsigned(3), common(type.struct), unsigned(1), unsigned(type.fields.length), ...fields, end, end]);
  }

  #value(type: GobType, value: GobValue): Uint8Array {
    if (type === 'bool' && typeof value === 'boolean') return unsigned(value ? 1 : 0);
    if (type === 'string' && typeof value === 'string') return text(value);
    if ((type === 'int' || type === 'uint') && (typeof value === 'number' || typeof value === 'bigint')) {
      return type === 'int' ? signed(value) : unsigned(value);
    }
    if (typeof type !== 'string') {
      if ('slice' in type && Array.isArray(value)) {
        const items = value as readonly GobValue[];
        return concat([unsigned(items.length), ...items.map((item) => this.#value(type.slice, item))]);
      }
      if ('map' in type && value instanceof Map) {
        const pairs = [...(value as ReadonlyMap<GobValue, GobValue>)];
        const flat = pairs.flatMap(([key, item]) => [
          this.#value(type.map.key, key),
          this.#value(type.map.value, item),
        ]);
        return concat([unsigned(pairs.length), ...flat]);
      }
      if ('struct' in type && isRecord(value)) return this.#fields(type.fields, value);
    }
    throw new UnikError('bad_request', `gob: ${typeof value} is no ${typeof type === 'string' ? type : kindOf(type)}`);
  }

  /** Fields that hold nothing are left out; each other one is preceded by its distance from the one before. */
  #fields(fields: readonly (readonly [string, GobType])[], value: Readonly<Record<string, GobValue>>): Uint8Array {
    const out: Uint8Array[] = [];
    let last = -1;
    fields.forEach(([name, type], index) => {
      const field = value[name];
      if (field === undefined || isNothing(field)) return;
      out.push(unsigned(index - last), this.#value(type, field));
      last = index;
    });
    return concat([...out, Uint8Array.of(0)]);
  }
}

/** Less than 128: one byte; else the negated number of bytes, then those, the largest first. */
export function unsigned(given: number | bigint): Uint8Array {
  let rest = BigInt(given);
  if (rest < 0n || rest > 0xffff_ffff_ffff_ffffn) throw new UnikError('bad_request', `gob: ${given} is no uint64`);
  if (rest < 128n) return Uint8Array.of(Number(rest));
  const bytes: number[] = [];
  for (; rest > 0n; rest >>= 8n) bytes.unshift(Number(rest & 0xffn));
  return Uint8Array.of(256 - bytes.length, ...bytes);
}

/** The sign is the lowest bit, so that small negative numbers are short as well. */
export function signed(given: number | bigint): Uint8Array {
  const value = BigInt(given);
  return unsigned(value < 0n ? ((-value - 1n) << 1n) | 1n : value << 1n);
}

function text(value: string): Uint8Array {
  const bytes = new TextEncoder().encode(value);
  return concat([unsigned(bytes.length), bytes]);
}

/** The field Name of a CommonType or of a field; an empty one is left out, and the next field then counts 2. */
const named = (name: string): Uint8Array => (name === '' ? new Uint8Array() : concat([unsigned(1), text(name)]));

function message(id: number, body: readonly Uint8Array[]): Uint8Array {
  const rest = concat([signed(id), ...body]);
  return concat([unsigned(rest.length), rest]);
}

function parts(type: Composite): readonly GobType[] {
  if ('slice' in type) return [type.slice];
  if ('map' in type) return [type.map.key, type.map.value];
  return type.fields.map(([, field]) => field);
}

/** What Go leaves out of a struct. Structs in it are always sent. */
function isNothing(value: GobValue): boolean {
  if (Array.isArray(value)) return value.length === 0;
  return value === false || value === 0 || value === 0n || value === '' || (value instanceof Map && value.size === 0);
}

const isStruct = (type: GobType): boolean => typeof type !== 'string' && 'struct' in type;
const kindOf = (type: Composite): string => ('struct' in type ? type.struct : 'slice' in type ? 'slice' : 'map');
const isRecord = (value: GobValue): value is Readonly<Record<string, GobValue>> =>
  typeof value === 'object' && !Array.isArray(value) && !(value instanceof Map) && !(value instanceof Uint8Array);

export function concat(chunks: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    out.set(chunk, at);
    at += chunk.length;
  }
  return out;
}
