/** The query of a read, refused in the words of log-cache's gateway (2026-07). Pure. */
import { messageOf } from '../../core/errors.js';
import type { EnvelopeType, ReadQuery } from './store.js';

/** What the gateway answers instead: HTTP status, and gRPC's code in the body. */
export interface Refusal {
  http: number;
  code: number;
  message: string;
}

export class Refused extends Error {
  constructor(readonly refusal: Refusal) {
    super(refusal.message);
  }
}

const badField = (message: string): Refused => new Refused({ http: 400, code: 3, message });
const badRequest = (message: string): Refused => new Refused({ http: 500, code: 2, message });

const TYPES = ['ANY', 'LOG', 'COUNTER', 'GAUGE', 'TIMER', 'EVENT'] as const;
const [MIN_INT64, MAX_INT64] = [-(2n ** 63n), 2n ** 63n - 1n];
const MAX_LIMIT = 1_000;
const MAX_FILTER = 1_000;

/** `now`: nanoseconds, the end where none is given. Unknown parameters do not matter. Throws Refused. */
export function readQuery(params: URLSearchParams, now: bigint): ReadQuery {
  const start_time = integer(params, 'start_time') ?? 0n;
  const end_time = integer(params, 'end_time') ?? 0n;
  const limit = integer(params, 'limit') ?? 0n;
  const types = values(params, 'envelope_types').map(typeOf);
  const descending = boolean(params, 'descending') ?? false;
  const filter = single(params, 'name_filter') ?? '';
  if (end_time !== 0n && start_time > end_time) {
    throw badRequest(`StartTime (${String(start_time)}) must be before EndTime (${String(end_time)})`);
  }
  if (limit > MAX_LIMIT) throw badRequest(`limit (${String(limit)}) must be ${MAX_LIMIT} or less`);
  if (limit < 0n) throw badRequest(`limit (${String(limit)}) must be greater than zero`);
  return {
    start_time,
    end_time: end_time === 0n ? now : end_time,
    limit: Number(limit) || 100,
    types: types.filter((type): type is EnvelopeType => type !== 'ANY'),
    descending,
    ...(filter === '' ? {} : { name: expression(filter) }),
  };
}

/** Protobuf's JSON knows a field by its own name and in camel case. */
function values(params: URLSearchParams, name: string): string[] {
  const camel = name.replaceAll(/_(\w)/g, (_all, letter: string) => letter.toUpperCase());
  return camel === name ? params.getAll(name) : [...params.getAll(name), ...params.getAll(camel)];
}

function single(params: URLSearchParams, name: string): string | undefined {
  const [value, ...more] = values(params, name);
  if (more.length > 0) throw badField(`too many values for field "${name}": ${[value, ...more].join(', ')}`);
  return value;
}

function integer(params: URLSearchParams, name: string): bigint | undefined {
  const text = single(params, name);
  if (text === undefined) return undefined;
  const why = `parsing field "${name}": strconv.ParseInt: parsing ${JSON.stringify(text)}:`;
  if (!/^[+-]?\d+$/.test(text)) throw badField(`${why} invalid syntax`);
  const value = BigInt(text.replace(/^\+/, ''));
  if (value < MIN_INT64 || value > MAX_INT64) throw badField(`${why} value out of range`);
  return value;
}

function boolean(params: URLSearchParams, name: string): boolean | undefined {
  const text = single(params, name);
  if (text === undefined) return undefined;
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return true;
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text)) return false;
  throw badField(`parsing field "${name}": strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
}

function typeOf(text: string): (typeof TYPES)[number] {
  const type = TYPES.find((name, number) => name === text || String(number) === text);
  if (!type) throw badField(`parsing list "envelope_types": ${JSON.stringify(text)} is not a valid value`);
  return type;
}

function expression(filter: string): RegExp {
  const what = 'name filter must be a valid regular expression';
  if (filter.length > MAX_FILTER) throw badRequest(`${what}: longer than ${MAX_FILTER} characters`);
  // Go writes this flag inside the expression.
  const [, flag, rest = filter] = /^\(\?(i)\)(.*)$/s.exec(filter) ?? [];
  try {
    return new RegExp(rest, flag ?? '');
  } catch (err) {
    const unclosed = /Unterminated character class/.test(messageOf(err));
    const reason = unclosed ? `missing closing ]: \`${filter.slice(filter.lastIndexOf('['))}\`` : messageOf(err);
    throw badRequest(`${what}: error parsing regexp: ${reason}`);
  }
}
