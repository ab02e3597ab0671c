import { execa } from 'execa';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { hasCode, messageOf, UnikError } from '../../../core/errors.js';
import { jsonOf } from '../../../core/json.js';

export interface Credentials {
  username: string;
  password: string;
}

/** As the Docker command keeps it: passwords by registry, or the names of programs that know them. */
const configSchema = z.object({
  auths: z.record(z.string(), z.object({ auth: z.string().optional() })).optional(),
  credHelpers: z.record(z.string(), z.string()).optional(),
  credsStore: z.string().optional(),
});
const helperSchema = z.object({ Username: z.string(), Secret: z.string() });

const HELPER_MS = 30_000;
const HELPER_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

/**
 * Who we are at a registry, by a file in the form of Docker's config.json: a helper's word before the file's own.
 * Undefined: the file is missing or says nothing of the registry. No message holds a secret. Throws config_invalid.
 */
export async function credentialsFor(registry: string, file: string, path: string): Promise<Credentials | undefined> {
  const config = await readConfig(file);
  if (!config) return undefined;
  const helper = config.credHelpers?.[registry] ?? config.credsStore;
  if (helper !== undefined) return askHelper(helper, registry, path);
  const auth = config.auths?.[registry]?.auth;
  if (auth === undefined || auth === '') return undefined;
  const text = Buffer.from(auth, 'base64').toString();
  const colon = text.indexOf(':');
  if (colon < 1)
    throw new UnikError('config_invalid', `${file}: what it says of ${registry} is not a name and a password`);
  return { username: text.slice(0, colon), password: text.slice(colon + 1) };
}

async function readConfig(file: string): Promise<z.infer<typeof configSchema> | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (err) {
    if (hasCode(err, 'ENOENT')) return undefined;
    throw new UnikError('config_invalid', `${file} cannot be read: ${messageOf(err)}`);
  }
  try {
    return configSchema.parse(JSON.parse(text));
  } catch {
    // The parser's own words would quote the file.
    throw new UnikError('config_invalid', `${file} is not in the form of Docker's config.json`);
  }
}

/** Source: docker-credential-helpers, README: the registry on its input, JSON on its output. */
async function askHelper(name: string, registry: string, path: string): Promise<Credentials | undefined> {
  if (!HELPER_NAME.test(name))
    throw new UnikError('config_invalid', `${JSON.stringify(name)} is not the name of a helper`);
  const program = `docker-credential-${name}`;
  const done = await execa(program, ['get'], {
    ...{ input: registry, reject: false, timeout: HELPER_MS, stripFinalNewline: true },
    env: { PATH: path, HOME: process.env['HOME'] ?? '/' },
    extendEnv: false,
  });
  if (done.exitCode !== 0) {
    if (/credentials not found/.test(`${done.stdout}${done.stderr}`)) return undefined;
    throw new UnikError('config_invalid', `${program} get failed with ${done.exitCode ?? done.code ?? 'a signal'}`);
  }
  const parsed = helperSchema.safeParse(jsonOf(done.stdout));
  if (!parsed.success) throw new UnikError('config_invalid', `${program} get did not answer with a name and a secret`);
  return { username: parsed.data.Username, password: parsed.data.Secret };
}
