import { z } from 'zod';
import { UnikError } from '../../../core/errors.js';
import { jsonOf } from '../../../core/json.js';
import { downloadBlob, sha256 } from './blob.js';
import type { Credentials } from './credentials.js';
import { get, readAll, type Reply } from './http.js';
import { isLoopback, type KernelReference } from './reference.js';

const INDEX = 'application/vnd.oci.image.index.v1+json';
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const LISTS = [INDEX, 'application/vnd.docker.distribution.manifest.list.v2+json'];
const SINGLES = [MANIFEST, 'application/vnd.docker.distribution.manifest.v2+json'];
const MAX_DOCUMENT = 4 * 1024 * 1024;
const MAX_TOKEN = 256 * 1024;

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const descriptor = z.object({
  mediaType: z.string(),
  digest,
  size: z.number().int().nonnegative(),
  annotations: z.record(z.string(), z.string()).optional(),
  platform: z
    .object({
      os: z.string().optional(),
      architecture: z.string().optional(),
      'os.version': z.string().optional(),
      'os.features': z.array(z.string()).optional(),
    })
    .optional(),
});
const indexSchema = z.object({ manifests: z.array(descriptor) });
const manifestSchema = z.object({
  config: descriptor.optional(),
  layers: z.array(descriptor),
  annotations: z.record(z.string(), z.string()).optional(),
});
export type Descriptor = z.infer<typeof descriptor>;
export type Manifest = z.infer<typeof manifestSchema>;

type OciReference = Extract<KernelReference, { kind: 'oci' }>;

/** One repository of an OCI registry, as far as pulling goes. Source: OCI distribution specification 1.1. */
export class Registry {
  /** Of the last challenge; kept in memory only. */
  #authorization: string | undefined;

  constructor(
    private readonly ref: OciReference,
    private readonly credentials: () => Promise<Credentials | undefined>,
    private readonly signal?: AbortSignal,
  ) {}

  /** The manifest for one platform: the reference's own, or the one that its index names. */
  async manifest(want: {
    os: string;
    architecture: string;
  }): Promise<{ manifest: Manifest; digest: string; platform?: Descriptor['platform'] }> {
    const { ref } = this;
    const first = await this.#document(ref.digest ?? ref.tag, ref.digest);
    if (!LISTS.includes(first.mediaType))
      return { manifest: parse(manifestSchema, first.text, ref), digest: first.digest };
    const all = parse(indexSchema, first.text, ref).manifests;
    const fits = ({ platform }: Descriptor): boolean =>
      platform?.os === want.os && platform.architecture === want.architecture;
    const found = all.find(fits);
    if (!found) {
      const list = all.map(({ platform }) => `${platform?.os ?? '?'}/${platform?.architecture ?? '?'}`).join(', ');
      throw new UnikError(
        'download_failed',
        `${nameOf(ref)} has no kernel for ${want.os}/${want.architecture}; it has: ${list || 'none'}`,
      );
    }
    const { text } = await this.#document(found.digest, found.digest);
    return { manifest: parse(manifestSchema, text, ref), digest: found.digest, platform: found.platform };
  }

  /** Into `file`, checked and resumed. */
  async blob({ digest: wanted, size }: Descriptor, file: string): Promise<void> {
    await downloadBlob(file, {
      ...{ digest: wanted, max_bytes: size, what: `${nameOf(this.ref)} ${wanted.slice(0, 19)}`, signal: this.signal },
      fetch: (from) => this.#get(`blobs/${wanted}`, from > 0 ? { range: `bytes=${from}-` } : {}),
    });
  }

  async #document(
    what: string,
    wanted: string | undefined,
  ): Promise<{ text: string; mediaType: string; digest: string }> {
    const reply = await this.#get(`manifests/${what}`, { accept: [...LISTS, ...SINGLES].join(', ') });
    const bytes = await readAll(reply, MAX_DOCUMENT, nameOf(this.ref));
    if (reply.status !== 200) throw new UnikError('download_failed', `${nameOf(this.ref)}: status ${reply.status}`);
    const found = sha256(bytes);
    if (wanted !== undefined && found !== wanted) {
      throw new UnikError('download_failed', `${nameOf(this.ref)}: what arrived is not of the digest ${wanted}`);
    }
    const text = bytes.toString();
    const type = (reply.header('content-type') ?? '').split(';')[0] ?? '';
    return { text, digest: found, mediaType: LISTS.includes(type) || SINGLES.includes(type) ? type : typeIn(text) };
  }

  async #get(path: string, headers: Record<string, string>): Promise<Reply> {
    const { registry, repository } = this.ref;
    const host = registry.replace(/:\d+$/, '');
    const address = `${isLoopback(host) ? 'http' : 'https'}://${registry}/v2/${repository}/${path}`;
    const send = (): Promise<Reply> => {
      const authorization = this.#authorization;
      return get(address, {
        headers: { ...headers, ...(authorization === undefined ? {} : { authorization }) },
        signal: this.signal,
      });
    };
    const reply = await send();
    if (reply.status !== 401) return reply;
    await reply.body.dump();
    this.#authorization = await this.#answer(reply.header('www-authenticate') ?? '');
    const again = await send();
    if (again.status !== 401 && again.status !== 403) return again;
    await again.body.dump();
    throw new UnikError('download_failed', `${registry} does not let us have ${repository} (status ${again.status})`);
  }

  /** What the registry asks for. */
  async #answer(challenge: string): Promise<string> {
    const { registry } = this.ref;
    const known = await this.credentials();
    const basic = known && `Basic ${Buffer.from(`${known.username}:${known.password}`).toString('base64')}`;
    if (/^basic/i.test(challenge)) {
      if (basic !== undefined) return basic;
      throw new UnikError(
        'download_failed',
        `${registry} asks who we are: give --credentials FILE, or log in with a helper`,
      );
    }
    const value = (name: string): string | undefined => new RegExp(`\\b${name}="([^"]*)"`).exec(challenge)?.[1];
    const realm = value('realm');
    if (!/^bearer/i.test(challenge) || realm === undefined) {
      throw new UnikError('download_failed', `${registry} asks for a proof of a kind that is not known here`);
    }
    const url = new URL(realm);
    const [service, scope] = [value('service'), value('scope')];
    if (service !== undefined) url.searchParams.set('service', service);
    if (scope !== undefined) url.searchParams.set('scope', scope);
    const reply = await get(url.href, {
      headers: basic === undefined ? {} : { authorization: basic },
      signal: this.signal,
    });
    const bytes = await readAll(reply, MAX_TOKEN, `the token of ${registry}`);
    const answer = tokenSchema.safeParse(reply.status === 200 ? jsonOf(bytes.toString()) : undefined);
    const token = answer.success ? (answer.data.token ?? answer.data.access_token) : undefined;
    if (token === undefined)
      throw new UnikError('download_failed', `${url.host} gave no token for ${registry} (status ${reply.status})`);
    return `Bearer ${token}`;
  }
}

const tokenSchema = z.object({ token: z.string().optional(), access_token: z.string().optional() });

function nameOf({ registry, repository, tag, digest: wanted }: OciReference): string {
  return `${registry}/${repository}${wanted === undefined ? `:${tag}` : `@${wanted.slice(0, 19)}`}`;
}

/** A registry may leave out the header's detail. */
function typeIn(text: string): string {
  const value = z.object({ mediaType: z.string().optional(), manifests: z.unknown() }).safeParse(jsonOf(text));
  if (!value.success) return MANIFEST;
  return value.data.mediaType ?? (value.data.manifests === undefined ? MANIFEST : INDEX);
}

function parse<T>(schema: z.ZodType<T>, text: string, ref: OciReference): T {
  const parsed = schema.safeParse(jsonOf(text));
  if (parsed.success) return parsed.data;
  throw new UnikError('download_failed', `${nameOf(ref)} is no package: ${z.prettifyError(parsed.error)}`);
}
