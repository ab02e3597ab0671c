/**
 * Go's gob, as far as the cf CLI's plugin protocol needs it. A message is its length and then either the definition of
 * a type (negative id) or a value (positive id). Source: Go's package encoding/gob.
 */

/** What we send. A type object stands for one id on a connection, so each is made once and shared. */
export type GobType =
  | 'bool'
  | 'int'
  | 'uint'
  | 'string'
  | { readonly slice: GobType; readonly name?: string }
  | { readonly map: { readonly key: GobType; readonly value: GobType }; readonly name?: string }
  | { readonly struct: string; readonly fields: readonly (readonly [name: string, type: GobType])[] };

/** A value of either direction. Structs are plain objects, whole numbers beyond 2^53 are bigint. */
export type GobValue =
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly GobValue[]
  | ReadonlyMap<GobValue, GobValue>
  | { readonly [field: string]: GobValue };

/** Ids that need no definition. */
export const BUILTIN = { bool: 1, int: 2, uint: 3, float: 4, bytes: 5, string: 6 } as const;

/** The first id that is free for a connection's own types, in each direction. */
export const FIRST_ID = 65;
