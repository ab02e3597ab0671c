import { parseArgs } from 'node:util';
import { messageOf, UnikError } from '../../core/errors.js';

export interface EnableWish {
  app: string;
  /** `http(s)://host[:port]` of a unik daemon or cell, as `endpointOf` writes it. */
  endpoint?: string;
  provider?: string;
  guest?: string;
}

export type Order =
  | { command: 'enable-unik'; wish: EnableWish }
  | { command: 'disable-unik'; app: string }
  | { command: 'unik-apps'; json: boolean };

/** Words after the plugin's port, the command's name first. Throws usage. */
export function parseOrder(words: readonly string[]): Order {
  const [command = '', ...rest] = words;
  switch (command) {
    case 'enable-unik':
      return { command, wish: enableWish(rest) };
    case 'disable-unik': {
      const [app] = read(rest, [], 1, 1).positionals;
      return { command, app: named(app) };
    }
    case 'unik-apps':
    case 'unik-status':
      return { command: 'unik-apps', json: read(rest, ['json'], 0, 0).values['json'] === true };
    default:
      throw new UnikError('usage', `'${command}' is no command of this plugin`);
  }
}

function enableWish(words: readonly string[]): EnableWish {
  const { values, positionals } = read(words, ['provider', 'guest'], 1, 2);
  const [app, endpoint] = positionals;
  const provider = word(values['provider'], '--provider');
  const guest = word(values['guest'], '--guest');
  if (endpoint !== undefined && provider !== undefined) {
    throw new UnikError('usage', 'ENDPOINT and --provider both choose the stack: give one of them');
  }
  return {
    app: named(app),
    ...(endpoint === undefined ? {} : { endpoint: endpointOf(endpoint) }),
    ...(provider === undefined ? {} : { provider }),
    ...(guest === undefined ? {} : { guest }),
  };
}

/** Scheme, host and port; a path, a query or credentials would be lost on the way, so they are refused. */
export function endpointOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const plain =
    url && url.pathname === '/' && url.search === '' && url.hash === '' && url.username + url.password === '';
  if (!url || !plain || !['http:', 'https:'].includes(url.protocol)) {
    throw new UnikError('usage', `ENDPOINT is http://HOST:PORT or https://HOST:PORT, not '${text}'`);
  }
  return url.origin;
}

type Flags = Readonly<Record<string, string | boolean | undefined>>;

function read(words: readonly string[], flags: readonly string[], least: number, most: number) {
  const options = Object.fromEntries(
    flags.map((name) => [name, { type: name === 'json' ? ('boolean' as const) : ('string' as const) }]),
  );
  let found: { values: Flags; positionals: string[] };
  try {
    found = parseArgs({ args: [...words], options, allowPositionals: true, strict: true });
  } catch (err) {
    throw new UnikError('usage', messageOf(err), { cause: err });
  }
  const { length } = found.positionals;
  if (length < least) throw new UnikError('usage', 'the required argument `APP_NAME` was not provided');
  if (length > most) throw new UnikError('usage', `unexpected argument '${found.positionals[most] ?? ''}'`);
  return found;
}

function named(app: string | undefined): string {
  if (app === undefined || app === '') throw new UnikError('usage', 'the argument `APP_NAME` is empty');
  return app;
}

/** Part of a stack's name, or a guest's name. */
function word(value: string | boolean | undefined, flag: string): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string' && /^[a-z0-9][a-z0-9-]{0,40}$/.test(value)) return value;
  throw new UnikError('usage', `${flag} takes a name of small letters, digits and dashes, not '${String(value)}'`);
}
