/** Lists as CC answers them: filters, label selectors, order, pages, included resources. Unknown parameters: 400. */
import { cfError } from './errors.js';
import type { Base, Metadata } from './model.js';
import { parseSelector } from './selector.js';

/** A query: each name once (the last), as sent but decoded. */
export type Query = ReadonlyMap<string, string>;

export interface ListShape<R> {
  /** Beside `guids`, `created_ats`, `updated_ats` and, for rows with metadata, `label_selector`. */
  filters?: Record<string, (row: R, values: readonly string[]) => boolean>;
  /** Keys of order_by beside created_at and updated_at. */
  order?: Record<string, (row: R) => string | number>;
  /** Order without order_by, such as `position`; default: created_at. */
  default_order?: string;
  /** Values of `include` to what stands under `included`. */
  include?: Record<string, (rows: readonly R[]) => Record<string, object[]>>;
  /** Parameters that are read by the handler itself, or that change nothing. */
  allow?: readonly string[];
  present: (row: R) => object;
}

export interface ListCall {
  query: Query;
  /** Path and query as sent, for the links of the pages. */
  url: string;
  /** Absolute address of a path. */
  href: (path: string) => string;
}

const OWN = ['page', 'per_page', 'order_by', 'include', 'guids', 'created_ats', 'updated_ats', 'label_selector'];
const TIME = /^(created_ats|updated_ats)(?:\[(lt|lte|gt|gte)\])?$/;

/** Comma-joined values; a comma inside one is percent-encoded a second time. */
export const valuesOf = (text: string): string[] => text.split(',').map(unescaped);

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A `%` that stands for itself.
    return text;
  }
}

/** A filter on one value of the row; null is the empty text. */
export const by =
  <R>(read: (row: R) => string | number | null | undefined) =>
  (row: R, values: readonly string[]): boolean =>
    values.includes(String(read(row) ?? ''));

/** As `by`, for what the Cloud Controller's database compares without regard to case, such as hosts of routes. */
export const byText =
  <R>(read: (row: R) => string) =>
  (row: R, values: readonly string[]): boolean =>
    values.some((value) => value.toLowerCase() === read(row).toLowerCase());

/** A filter on several values of the row. */
export const byAny =
  <R>(read: (row: R) => readonly string[]) =>
  (row: R, values: readonly string[]): boolean =>
    read(row).some((one) => values.includes(one));

export function list<R extends Base>(call: ListCall, rows: readonly R[], shape: ListShape<R>): object {
  checkNames(call.query, shape);
  const kept = rows.filter((row) => fits(row, call.query, shape));
  const ordered = order(kept, call.query.get('order_by') ?? shape.default_order ?? 'created_at', shape);
  const { page, per_page } = pageOf(call.query);
  const part = ordered.slice((page - 1) * per_page, page * per_page);
  return {
    pagination: pagination(call, ordered.length, page, per_page),
    resources: part.map(shape.present),
    ...included(call.query, part, shape),
  };
}

/** The object under `included` for one resource or a page of them; nothing where none was asked for. */
export function included<R>(query: Query, rows: readonly R[], { include = {} }: Pick<ListShape<R>, 'include'>): object {
  const asked = query.get('include');
  if (asked === undefined || asked === '') return {};
  const all: Record<string, object[]> = {};
  for (const name of valuesOf(asked)) {
    const read = include[name];
    if (!read)
      throw cfError(
        'BadQueryParameter',
        `Invalid included resource: '${name}'. Valid included resources are: ${Object.keys(include)
          .map((one) => `'${one}'`)
          .join(', ')}`,
      );
    Object.assign(all, read(rows));
  }
  return { included: all };
}

function checkNames<R>(query: Query, { filters = {}, allow = [] }: ListShape<R>): void {
  const valid = [...OWN, ...Object.keys(filters), ...allow];
  const unknown = [...query.keys()].filter((name) => !valid.includes(name) && !TIME.test(name));
  if (unknown.length === 0) return;
  const quoted = (names: readonly string[]): string => names.map((name) => `'${name}'`).join(', ');
  throw cfError(
    'BadQueryParameter',
    `Unknown query parameter(s): ${quoted(unknown)}. Valid parameters are: ${quoted(valid)}`,
  );
}

function fits<R extends Base>(row: R, query: Query, { filters = {} }: ListShape<R>): boolean {
  for (const [name, text] of query) {
    const time = TIME.exec(name);
    if (name === 'guids' && !valuesOf(text).includes(row.guid)) return false;
    if (time && !timeFits(time[1] === 'created_ats' ? row.created_at : row.updated_at, time[2], valuesOf(text)))
      return false;
    if (name === 'label_selector' && !parseSelector(text)(labelsOf(row))) return false;
    if (Object.hasOwn(filters, name) && filters[name]?.(row, valuesOf(text)) === false) return false;
  }
  return true;
}

const labelsOf = (row: Base): Metadata['labels'] => ('metadata' in row ? (row.metadata as Metadata).labels : {});

function timeFits(time: string, relation: string | undefined, values: readonly string[]): boolean {
  const [first = ''] = values;
  if (relation === undefined) return values.includes(time);
  if (relation === 'lt') return time < first;
  if (relation === 'lte') return time <= first;
  return relation === 'gt' ? time > first : time >= first;
}

function order<R extends Base>(rows: R[], order_by: string, { order: keys = {} }: ListShape<R>): R[] {
  const [, minus, name = ''] = /^([+-]?)(.*)$/.exec(order_by) ?? [];
  // Times are only told to the second; `seq` is the order within one.
  const known: Record<string, (row: R) => string | number> = {
    created_at: ({ seq }) => seq,
    updated_at: ({ updated_at }) => updated_at,
    ...keys,
  };
  const key = Object.hasOwn(known, name) ? known[name] : undefined;
  if (!key)
    throw cfError(
      'BadQueryParameter',
      `Order by can only be: ${Object.keys(known)
        .map((one) => `'${one}'`)
        .join(', ')}`,
    );
  const sign = minus === '-' ? -1 : 1;
  return rows.sort((a, b) => sign * (compare(key(a), key(b)) || a.seq - b.seq));
}

function compare(a: string | number, b: string | number): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function pageOf(query: Query): { page: number; per_page: number } {
  const read = (name: string, fallback: number, most: number): number => {
    const text = query.get(name);
    if (text === undefined) return fallback;
    const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
    if (value < 1) throw cfError('BadQueryParameter', `${title(name)} must be a positive integer`);
    if (value > most) throw cfError('BadQueryParameter', `${title(name)} must be between 1 and ${most}`);
    return value;
  };
  return { page: read('page', 1, 999_999_999), per_page: read('per_page', 50, 5000) };
}

const title = (name: string): string => (name === 'page' ? 'Page' : 'Per page');

function pagination({ url, href }: ListCall, total: number, page: number, per_page: number): object {
  const pages = Math.max(1, Math.ceil(total / per_page));
  const [path = '', search = ''] = url.split('?');
  const link = (n: number): { href: string } => {
    const params = new URLSearchParams(search);
    params.set('page', String(n));
    params.set('per_page', String(per_page));
    return { href: href(`${path}?${params.toString()}`) };
  };
  return {
    total_results: total,
    total_pages: pages,
    first: link(1),
    last: link(pages),
    next: page < pages ? link(page + 1) : null,
    previous: page > 1 ? link(page - 1) : null,
  };
}
