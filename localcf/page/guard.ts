/** Pure: who may see the page and press its buttons. It has no log-in, so it is for the user at this machine alone. */

export interface Knock {
  method: string;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  remote_address: string;
  /** User id at the other end of the connection; undefined: not found. */
  peer_uid: number | undefined;
}

export interface GuardOptions {
  /** Names, besides those of the loopback, under which the page may be asked for. */
  hosts: readonly string[];
  /** What a button must bring: only a page that we served has it. */
  token: string;
  /** Users whose page this is, besides root. */
  owners: readonly number[];
}

/** Why the request is refused; undefined: it is not. */
export function refusal(knock: Knock, options: GuardOptions): string | undefined {
  const { headers, method } = knock;
  if (!isLoopback(knock.remote_address)) return 'this page is shown on its own machine only';
  // A name that an attacker's DNS points to the loopback is no name of ours.
  if (!isOurs(text(headers['host']), options.hosts)) return 'this page is not served under that name';
  if (![0, ...options.owners].includes(knock.peer_uid ?? -1)) return 'this page is for the user who started it';
  if (method === 'GET' || method === 'HEAD') return undefined;
  const origin = text(headers['origin']);
  if (origin !== undefined && hostOf(origin) !== text(headers['host'])) return 'that button is on another page';
  const site = text(headers['sec-fetch-site']);
  if (site !== undefined && site !== 'same-origin') return 'that button is on another page';
  if (text(headers['x-unik-page']) !== options.token) return 'the page is of an earlier start: load it again';
  return undefined;
}

/** A browser asks for HTML before all else; the CLI asks for JSON, curl for anything. */
export function prefersHtml(accept: string | undefined): boolean {
  const weight = (type: string): number => {
    for (const part of (accept ?? '').split(',')) {
      const [name = '', ...parameters] = part.split(';').map((word) => word.trim().toLowerCase());
      if (name !== type) continue;
      const q = parameters.find((word) => word.startsWith('q='));
      return q === undefined ? 1 : Number(q.slice(2)) || 0;
    }
    return 0;
  };
  return weight('text/html') > Math.max(weight('application/json'), weight('application/*'));
}

export function isLoopback(address: string): boolean {
  return address === '::1' || /^(::ffff:)?127\.\d+\.\d+\.\d+$/.test(address);
}

function isOurs(host: string | undefined, names: readonly string[]): boolean {
  if (host === undefined) return false;
  const name = host.replace(/:\d+$/, '').toLowerCase();
  return ['127.0.0.1', 'localhost', '[::1]', ...names.map((one) => one.toLowerCase())].includes(name);
}

const hostOf = (origin: string): string | undefined => (URL.canParse(origin) ? new URL(origin).host : undefined);
const text = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value.join(', ') : value;
