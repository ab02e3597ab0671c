import { createHash } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { Agent } from 'undici';
import { UnikError } from '../../core/errors.js';
import { transfer } from '../actions/transfer.js';
import { unpack } from '../actions/unpack.js';
import { cloneBuildpack, isGitUrl } from './git.js';
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
  /** Of git, where one lies in a repository. */
  env: NodeJS.ProcessEnv;
  signal?: AbortSignal | undefined;
}

export const OWN_KEY = 'unik_buildpack';
const DOWNLOAD_MS = 300_000;
const MAX_BYTES = 2 * 2 ** 30;
const UNPACKED = { max_bytes: 2 * MAX_BYTES, max_entries: 500_000 };

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
  if (isGitUrl(key)) return clone(key, places);
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
  const dir = join(places.downloadsDir, xxhash64(key));
  const archive = `${dir}.zip`;
  const dispatcher = new Agent({
    connect: { rejectUnauthorized: !places.skipCertVerify },
    headersTimeout: DOWNLOAD_MS,
    bodyTimeout: DOWNLOAD_MS,
  });
  const signal = places.signal ?? new AbortController().signal;
  await mkdir(dir, { recursive: true });
  try {
    await transfer(key, archive, { dispatcher, max_bytes: MAX_BYTES }, signal);
    await unpack(archive, dir, UNPACKED, signal);
  } finally {
    await rm(archive, { force: true });
    await dispatcher.close();
  }
  return topOf(dir, key);
}

async function clone(key: string, places: BuildpackPlaces): Promise<string> {
  const dir = join(places.downloadsDir, xxhash64(key));
  await mkdir(places.downloadsDir, { recursive: true });
  await cloneBuildpack(key, dir, places);
  return topOf(dir, key);
}

/** A URL as it may stand in a log. */
export function withoutSecrets(key: string): string {
  return key.replace(/^((?:https?|git):\/\/)[^@/]*@/, '$1');
}
