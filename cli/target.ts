import { readFile } from 'node:fs/promises';
import { messageOf, UnikError } from '../core/errors.js';
import { homePaths } from '../core/home.js';
import { readJsonFile } from '../core/json-file.js';
import { usage } from './parse.js';
import type { TargetFile } from './target-file.js';

/** Which daemon a command talks to. */
export type Target = { kind: 'unix'; path: string } | { kind: 'tcp'; url: string; token: string; ca?: string };

export interface Choice {
  target: Target;
  /** The local daemon of this home, which may be started for the user. */
  own: boolean;
}

/** `--host`, else UNIK_HOST, else what `unik target` stored, else the socket of the home. */
export async function chooseTarget(
  flag: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
  home: string,
): Promise<Choice> {
  const host = flag ?? nonEmpty(env['UNIK_HOST']);
  const stored = host === undefined ? await readTargetFile(home) : undefined;
  const chosen = host ?? stored?.host;
  if (chosen === undefined) return { target: { kind: 'unix', path: homePaths(home).socket }, own: true };
  if (chosen.startsWith('unix://'))
    return { target: { kind: 'unix', path: chosen.slice('unix://'.length) }, own: false };
  const url = normalizeHost(chosen);
  const caFile = nonEmpty(env['UNIK_CA']) ?? stored?.ca_file;
  const tokenFile = stored?.token_file;
  const token = nonEmpty(env['UNIK_TOKEN']) ?? (tokenFile === undefined ? '' : (await readNamed(tokenFile)).trim());
  return {
    target: { kind: 'tcp', url, token, ...(caFile !== undefined ? { ca: await readNamed(caFile) } : {}) },
    own: false,
  };
}

/** `HOST`, `HOST:PORT` and `https://HOST:PORT`; plain http is refused, for the token would cross in the clear. */
export function normalizeHost(host: string, port?: string): string {
  const text = /^[a-z]+:\/\//.test(host) ? host : `https://${host}`;
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw usage(`--host ${host}: expected unix:///PATH or https://HOST:PORT`);
  }
  if (url.protocol !== 'https:') throw usage(`--host ${host}: only unix:// and https:// are spoken`);
  if (port !== undefined) url.port = port;
  return url.origin;
}

export async function readTargetFile(home: string): Promise<TargetFile | undefined> {
  const path = homePaths(home).target;
  const value = await readJsonFile(path);
  if (value === undefined) return undefined;
  const { targetFileSchema } = await import('./target-file.js');
  const parsed = targetFileSchema.safeParse(value);
  if (!parsed.success) throw new UnikError('config_invalid', `${path} is not what \`unik target\` writes; remove it`);
  return parsed.data;
}

async function readNamed(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (err) {
    throw new UnikError('config_invalid', messageOf(err), { cause: err });
  }
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
