import { createHash } from 'node:crypto';
import { createWriteStream, existsSync, readdirSync, statSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Agent, interceptors, request } from 'undici';
import { messageOf, UnikError } from '../../core/errors.js';
import { unpackZip } from '../archive/zip.js';
import { xxhash64 } from './xxhash64.js';

/** A buildpack that is unpacked on this host. */
export interface Buildpack {
  /** As Cloud Controller names it: a key, or a URL. */
  key: string;
  dir: string;
}

export interface BuildpackPlaces {
  /** Where the cell puts the buildpacks that Cloud Controller keeps. */
  buildpacksDir: string;
  /** Where those named by URL are unpacked. */
  downloadsDir: string;
  /** The one that is built in: what an empty order means. */
  ownDir: string;
  skipCertVerify: boolean;
  signal?: AbortSignal | undefined;
}

export const OWN_KEY = 'unik_buildpack';
const DOWNLOAD_MS = 300_000;
const MAX_BYTES = 2 * 2 ** 30;

/**
 * The buildpacks of the order, ready to run. An empty order, which a stack without buildpacks of its own gives, means
 * the one that comes with this lifecycle. Throws buildpack_missing.
 */
export async function findBuildpacks(order: string, places: BuildpackPlaces): Promise<Buildpack[]> {
  const keys = order.split(',').filter((key) => key !== '');
  if (keys.length === 0) return [{ key: OWN_KEY, dir: places.ownDir }];
  const found: Buildpack[] = [];
  for (const key of keys) found.push({ key, dir: await findBuildpack(key, places) });
  return found;
}

async function findBuildpack(key: string, places: BuildpackPlaces): Promise<string> {
  if (/^https?:\/\//.test(key)) return download(key, places);
  const names = [xxhash64(key), createHash('md5').update(key).digest('hex')];
  const dir = [...names.map((name) => join(places.buildpacksDir, name)), ...(isAbsolute(key) ? [key] : [])].find(
    (path) => existsSync(path),
  );
  if (dir !== undefined) return topOf(dir, key);
  if (key === OWN_KEY) return places.ownDir;
  throw new UnikError(
    'buildpack_missing',
    `the buildpack ${key} is not in ${places.buildpacksDir} (as ${names.join(' or ')})`,
  );
}

/** The folder that holds `bin/`: the one unpacked, or the single folder in it that archives of repositories have. */
function topOf(dir: string, key: string): string {
  if (existsSync(join(dir, 'bin'))) return dir;
  const [only, another] = readdirSync(dir).filter((name) => statSync(join(dir, name)).isDirectory());
  if (only !== undefined && another === undefined && existsSync(join(dir, only, 'bin'))) return join(dir, only);
  throw new UnikError('buildpack_missing', `${withoutSecrets(key)} is no buildpack: it has no folder bin`);
}

async function download(key: string, places: BuildpackPlaces): Promise<string> {
  const url = new URL(key);
  const shown = withoutSecrets(key);
  if (!url.pathname.endsWith('.zip')) {
    throw new UnikError(
      'buildpack_missing',
      `${shown} is no .zip file: a buildpack of a git repository must be zipped first`,
    );
  }
  const dir = join(places.downloadsDir, xxhash64(key));
  const archive = `${dir}.zip`;
  await mkdir(dir, { recursive: true });
  try {
    const { body, statusCode } = await fetchZip(url, places);
    if (statusCode !== 200) throw new UnikError('buildpack_missing', `${shown} answers ${statusCode}`);
    await pipeline(limited(body), createWriteStream(archive));
    await unpackZip(archive, dir, { signal: places.signal });
  } catch (err) {
    places.signal?.throwIfAborted();
    if (err instanceof UnikError) throw err;
    throw new UnikError('buildpack_missing', `${shown} cannot be downloaded: ${messageOf(err)}`, { cause: err });
  } finally {
    await rm(archive, { force: true });
  }
  return topOf(dir, key);
}

async function fetchZip(url: URL, places: BuildpackPlaces): Promise<{ body: Readable; statusCode: number }> {
  const agent = new Agent({ connect: { rejectUnauthorized: !places.skipCertVerify } }).compose(
    interceptors.redirect({ maxRedirections: 5 }),
  );
  const auth =
    url.username === '' ? undefined : `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  const target = new URL(url);
  target.username = '';
  target.password = '';
  return request(target, {
    dispatcher: agent,
    headersTimeout: DOWNLOAD_MS,
    bodyTimeout: DOWNLOAD_MS,
    ...(auth === undefined ? {} : { headers: { authorization: `Basic ${Buffer.from(auth).toString('base64')}` } }),
    ...(places.signal ? { signal: places.signal } : {}),
  });
}

async function* limited(body: Readable): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BYTES) throw new UnikError('archive_too_large', 'the buildpack is larger than 2 GB');
    yield chunk;
  }
}

/** A URL as it may stand in a log. */
export function withoutSecrets(key: string): string {
  return key.replace(/^(https?:\/\/)[^@/]*@/, '$1');
}
