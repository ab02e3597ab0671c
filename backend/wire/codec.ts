/**
 * Protobuf to plain objects and back: the only place where protobufjs is used. 64-bit numbers are bigint, enum values
 * their names, bytes Uint8Array; an absent submessage or `optional` field is left out, every other field is there.
 */
import protobuf from 'protobufjs';
import { UnikError } from '../../core/errors.js';
import { descriptor, type Messages } from '../../protos/generated.js';

export type MessageName = keyof Messages;

/** What may be sent: any field may be left out, at every depth. */
export type Sent<T> = T extends string | number | boolean | bigint | Uint8Array
  ? T
  : T extends (infer E)[]
    ? readonly Sent<E>[]
    : { [K in keyof T]?: Sent<T[K]> | undefined };

const root = protobuf.Root.fromJSON(descriptor);

/** The bytes of a message. */
export function encode<N extends MessageName>(name: N, value: Sent<Messages[N]>): Buffer {
  const type = typeOf(name);
  // Only `fromObject` is exact with 64-bit numbers: `create` turns a bigint into 0 without a word.
  const bytes = type.encode(type.fromObject(value)).finish();
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** The message in `bytes`. Throws bad_reply naming the message where they are none. */
export function decode<N extends MessageName>(name: N, bytes: Uint8Array): Messages[N] {
  const type = typeOf(name);
  try {
    return plain(type, type.decode(bytes)) as unknown as Messages[N];
  } catch (err) {
    throw new UnikError('bad_reply', `${bytes.length} bytes are not a ${name}: ${messageOf(err)}`, { cause: err });
  }
}

const types = new Map<string, protobuf.Type>();

/** Looked up once: every log line asks. */
function typeOf(name: MessageName): protobuf.Type {
  let type = types.get(name);
  if (!type) types.set(name, (type = root.lookupType(name)));
  return type;
}

type Raw = Record<string, unknown>;

function plain(type: protobuf.Type, message: protobuf.Message | Raw): Raw {
  const raw = message as Raw;
  const result: Raw = {};
  for (const field of type.fieldsArray) {
    const present = Object.hasOwn(raw, field.name);
    const value = raw[field.name];
    if (field instanceof protobuf.MapField) {
      const entries = Object.entries((value ?? {}) as Raw);
      result[field.name] = Object.fromEntries(entries.map(([key, one]) => [key, single(field, one)]));
    } else if (field.repeated) {
      result[field.name] = ((value ?? []) as unknown[]).map((one) => single(field, one));
    } else if (present) {
      result[field.name] = single(field, value);
    } else if (field.partOf === null && !(field.resolvedType instanceof protobuf.Type)) {
      result[field.name] = single(field, field.typeDefault);
    }
  }
  return result;
}

function single(field: protobuf.Field, value: unknown): unknown {
  const { resolvedType } = field;
  if (resolvedType instanceof protobuf.Type) return plain(resolvedType, value as Raw);
  if (resolvedType instanceof protobuf.Enum) return resolvedType.valuesById[value as number] ?? String(value);
  if (field.type === 'int64' || field.type === 'uint64') return BigInt(String(value));
  if (field.type === 'bytes') return Buffer.from(value as Uint8Array);
  return value;
}

function messageOf(err: unknown): string {
  return err instanceof Error ? err.message : String(err);
}
