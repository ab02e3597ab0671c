import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';
import { messageOf, UnikError } from '../../../core/errors.js';
import type { OpenStackConfig } from './config.js';

const name = z.string().min(1);

/** `auth` of clouds.yaml, as openstacksdk documents it. */
const authSchema = z.object({
  auth_url: z.url().optional(),
  username: name.optional(),
  user_id: name.optional(),
  password: name.optional(),
  user_domain_name: name.optional(),
  user_domain_id: name.optional(),
  project_name: name.optional(),
  project_id: name.optional(),
  project_domain_name: name.optional(),
  project_domain_id: name.optional(),
  application_credential_id: name.optional(),
  application_credential_secret: name.optional(),
});
type Auth = z.output<typeof authSchema>;

const cloudSchema = z.object({
  auth: authSchema,
  region_name: name.optional(),
  interface: z.enum(['public', 'internal', 'admin']).optional(),
  cacert: name.optional(),
});
const cloudsSchema = z.object({ clouds: z.record(z.string(), z.unknown()) });

/** Where to go and as whom. `login` is the body of `POST /v3/auth/tokens`; it holds the secret. */
export interface Cloud {
  /** With the version: `.../v3`. */
  auth_url: string;
  region_name: string | undefined;
  interface: 'public' | 'internal' | 'admin';
  ca_file: string | undefined;
  login: unknown;
}

/** Reads the file anew at each login, so that a new secret needs no restart. Throws config_invalid, quoting nothing of it. */
export async function readCloud(config: OpenStackConfig): Promise<Cloud> {
  const path = config.credentials_file;
  const { auth, ...of } = pick(await readYaml(path), config);
  const wrong = (what: string): never => {
    throw new UnikError('config_invalid', `credentials_file ${path}: ${what}`);
  };
  const auth_url = config.auth_url ?? auth.auth_url ?? wrong('auth_url is missing, here and in the configuration');
  return {
    auth_url: `${auth_url.replace(/\/+$/, '').replace(/\/v3$/, '')}/v3`,
    region_name: config.region_name ?? of.region_name,
    interface: config.interface ?? of.interface ?? 'public',
    ca_file: config.ca_file ?? of.cacert,
    login: { auth: loginOf(auth, wrong) },
  };
}

function pick(document: unknown, { credentials_file: path, cloud }: OpenStackConfig): z.output<typeof cloudSchema> {
  const all = cloudsSchema.safeParse(document);
  const names = all.success ? Object.keys(all.data.clouds) : [];
  const wanted = cloud ?? (names.length === 1 ? names[0] : undefined);
  if (all.success && (wanted === undefined || !names.includes(wanted))) {
    const what = wanted === undefined ? 'has several clouds: name one of' : `has no cloud ${wanted}; it has`;
    throw new UnikError('config_invalid', `credentials_file ${path} ${what}: ${names.join(', ')}`);
  }
  const one = all.success ? all.data.clouds[wanted ?? ''] : { auth: document };
  const parsed = cloudSchema.safeParse(one);
  if (parsed.success) return parsed.data;
  const where = parsed.error.issues.map((issue) => issue.path.join('.')).join(', ');
  throw new UnikError('config_invalid', `credentials_file ${path}: wrong or missing: ${where}`);
}

function loginOf(auth: Auth, wrong: (what: string) => never): unknown {
  if (auth.application_credential_id !== undefined) {
    const secret = auth.application_credential_secret ?? wrong('application_credential_secret is missing');
    const application_credential = { id: auth.application_credential_id, secret };
    return { identity: { methods: ['application_credential'], application_credential } };
  }
  const password = auth.password ?? wrong('neither password nor application_credential_id is there');
  const domain = domainOf(auth.user_domain_id, auth.user_domain_name);
  const user = auth.user_id === undefined ? { name: auth.username ?? wrong('username is missing'), domain } : {};
  const id = auth.user_id === undefined ? {} : { id: auth.user_id };
  const within = domainOf(auth.project_domain_id, auth.project_domain_name);
  const project =
    auth.project_id === undefined
      ? { name: auth.project_name ?? wrong('project_name is missing'), domain: within }
      : { id: auth.project_id };
  return { identity: { methods: ['password'], password: { user: { ...user, ...id, password } } }, scope: { project } };
}

function domainOf(id: string | undefined, domain: string | undefined): { id: string } | { name: string } {
  return domain === undefined ? { id: id ?? 'default' } : { name: domain };
}

async function readYaml(path: string): Promise<unknown> {
  try {
    return parse(await readFile(path, 'utf8')) as unknown;
  } catch (err) {
    // A parser's message quotes what it read.
    const why = err instanceof Error && 'code' in err && 'path' in err ? messageOf(err) : 'it is neither YAML nor JSON';
    throw new UnikError('config_invalid', `credentials_file ${path}: ${why}`);
  }
}
