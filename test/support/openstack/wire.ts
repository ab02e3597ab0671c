import type { IncomingMessage } from 'node:http';

/** One request as a service of the double sees it. `path` is below the service's version. */
export interface Call {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: IncomingMessage['headers'];
  body: Buffer;
  /** Who asks: of the token. */
  who: Who;
}

export interface Who {
  project: string;
  user: string;
  roles: string[];
}

export interface Reply {
  status: number;
  body?: unknown;
  headers?: Record<string, string>;
}

/** Whoever can tell whose token it is. */
export interface Identity {
  check(token: string): Promise<Who | undefined>;
}

/** Where Nova gets what its servers boot from. */
export interface ImageSource {
  image(
    id: string,
  ): Promise<
    { status: string; format: string; file: string; properties: Record<string, string>; min_disk: number } | undefined
  >;
}

export function jsonOf(call: Call): Record<string, unknown> {
  try {
    const value = JSON.parse(call.body.toString()) as unknown;
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** Names that must not be there, as each service's validation finds them. */
export const strange = (value: object, known: readonly string[]): string | undefined =>
  Object.keys(value).find((name) => !known.includes(name));

/** Filters of lists: exact, several values of one name are alternatives. Names of paging are none. */
export function matches(row: object, query: URLSearchParams): boolean {
  const no = new Set(['limit', 'marker', 'fields', 'sort', 'sort_key', 'sort_dir']);
  return [...new Set(query.keys())].every(
    (name) => no.has(name) || query.getAll(name).includes(String((row as Record<string, unknown>)[name])),
  );
}

/** Only the fields asked for. */
export function fieldsOf(row: object, query: URLSearchParams): object {
  const wanted = query.getAll('fields');
  return wanted.length === 0 ? row : Object.fromEntries(Object.entries(row).filter(([name]) => wanted.includes(name)));
}

/** Of Keystone, and of the filter before every other service. */
export const unauthorized = (identity: string): Reply => ({
  status: 401,
  headers: { 'www-authenticate': `Keystone uri="${identity}"` },
  body: {
    error: { code: 401, title: 'Unauthorized', message: 'The request you have made requires authentication.' },
  },
});
