/** Pure: the words of a command line become what the API takes. Every refusal is `usage` and names the word. */
import { isIP } from 'node:net';
import { UnikError } from '../core/errors.js';
import type { InstanceRequest } from '../backend/api/schema/instances.js';

type PortRequest = NonNullable<InstanceRequest['ports']>[number];
type RestartRequest = NonNullable<InstanceRequest['restart']>;

/** `[ADDR:]HOST:GUEST[/proto]`, `ADDR::GUEST` or `GUEST`; without HOST the daemon finds a free port. */
export function parsePort(text: string): PortRequest {
  const wrong = usage(`-p ${text}: expected [ADDRESS:]HOST:GUEST[/tcp|udp]`);
  const [, address, places = '', protocol = 'tcp'] =
    /^(?:(\[[0-9a-fA-F:.]+\]|[0-9.]+(?=:\d*:)):)?((?:\d*:)?\d+)(?:\/(tcp|udp))?$/.exec(text) ?? [];
  const [guest, host] = places.split(':').reverse();
  const guest_port = portNumber(guest);
  const host_port = host === undefined || host === '' ? 0 : portNumber(host);
  const host_address = address?.replace(/[[\]]/g, '');
  if (guest_port === undefined || host_port === undefined) throw wrong;
  if (host_address !== undefined && isIP(host_address) === 0) throw wrong;
  return {
    ...(host_address !== undefined ? { host_address } : {}),
    host_port,
    guest_port,
    protocol: protocol === 'udp' ? 'udp' : 'tcp',
  };
}

function portNumber(text: string | undefined): number | undefined {
  const port = Number(text);
  return port >= 1 && port <= 65_535 ? port : undefined;
}

type Variables = Readonly<Record<string, string | undefined>>;

/** `K=V` (V may hold anything, `=` too) or `K`, whose value is our own environment's, if it has one. */
export function parseEnv(texts: readonly string[], own: Variables): Record<string, string> {
  const env: Record<string, string> = {};
  for (const text of texts) {
    const at = text.indexOf('=');
    const name = at < 0 ? text : text.slice(0, at);
    if (name === '') throw usage(`-e ${text}: expected NAME=VALUE or NAME`);
    const value = at < 0 ? own[name] : text.slice(at + 1);
    if (value !== undefined) env[name] = value;
  }
  return env;
}

/** Docker's format: one `K=V` or `K` a line, values as they stand, `#` lines and empty ones skipped. */
export function parseEnvFile(content: string, file: string, own: Variables): Record<string, string> {
  const lines = content.replace(/^\uFEFF/, '').split(/\r?\n/);
  const kept = lines.map((line) => line.trimStart()).filter((line) => line !== '' && !line.startsWith('#'));
  const bad = kept.find((line) => /^=|^[^=]*\s/.test(line));
  if (bad !== undefined) throw usage(`${file}: a variable name is empty or holds a space`);
  return parseEnv(kept, own);
}

const UNITS_MB: Record<string, number> = { b: 1 / 2 ** 20, k: 1 / 1024, m: 1, g: 1024, t: 1024 ** 2 };

/** `64`, `64m`, `1g`, `512MiB`: megabytes, the unit being m when absent; fractions are rounded up. */
export function parseMegabytes(text: string, flag: string): number {
  const [, number, unit = 'm'] = /^(\d+(?:\.\d+)?)\s*([bkmgt])?(?:i?b)?$/i.exec(text) ?? [];
  const megabytes = Math.ceil(Number(number) * (UNITS_MB[unit.toLowerCase()] ?? NaN));
  if (!Number.isSafeInteger(megabytes) || megabytes < 1)
    throw usage(`${flag} ${text}: expected a size such as 64, 64m or 1g`);
  return megabytes;
}

const UNITS_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `10`, `10s`, `1m30s`, `500ms`: milliseconds, the unit being seconds when absent. */
export function parseDuration(text: string, flag: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)];
  const whole = /^\d+(\.\d+)?$/.test(text) ? `${text}s` : text;
  const read = whole === text ? parts : [...whole.matchAll(/(\d+(?:\.\d+)?)(s)/g)];
  if (read.length === 0 || read.map(([match]) => match).join('') !== whole) {
    throw usage(`${flag} ${text}: expected a time such as 10s, 1m30s or 500ms`);
  }
  return Math.round(read.reduce((sum, [, number, unit = 's']) => sum + Number(number) * (UNITS_MS[unit] ?? NaN), 0));
}

/** A time of day (`2026-11-23T10:00:00Z`), seconds since the epoch, or how long ago (`10m`): epoch milliseconds. */
export function parseSince(text: string, now: number): number {
  if (/^\d{9,}(\.\d+)?$/.test(text)) return Math.round(Number(text) * 1000);
  const date = /^\d{4}-/.test(text) ? Date.parse(text) : NaN;
  return Number.isNaN(date) ? now - parseDuration(text, '--since') : date;
}

/** `no`, `always`, `unless-stopped`, `on-failure` or `on-failure:3`. */
export function parseRestart(text: string): RestartRequest {
  const [, policy, most] = /^(no|always|unless-stopped|on-failure)(?::(\d+))?$/.exec(text) ?? [];
  const max_retries = most === undefined ? undefined : Number(most);
  if (policy === undefined || (max_retries !== undefined && (policy !== 'on-failure' || max_retries < 1))) {
    throw usage(`--restart ${text}: expected no, on-failure[:N], always or unless-stopped`);
  }
  return {
    policy: policy as RestartRequest['policy'],
    ...(max_retries !== undefined ? { max_retries } : {}),
  };
}

export function parseWhole(text: string, flag: string, least: number): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || number < least) throw usage(`${flag} ${text}: expected a whole number, at least ${least}`);
  return number;
}

/** `K=V` or `K`, whose value is then empty. */
export function parseLabels(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf('=');
      return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}

export function usage(message: string): UnikError {
  return new UnikError('usage', message);
}
