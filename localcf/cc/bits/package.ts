/** The bits of `cf push`: what was sent, checked, and what was not sent because it is known, put into one zip. */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { chmod, lstat, mkdir, readdir, readlink, realpath, stat } from 'node:fs/promises';
import { dirname, join, normalize, relative, resolve, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ZipFile } from 'yazl';
import { UnikError } from '../../../core/errors.js';
import { unpack } from '../../../stager/actions/unpack.js';
import type { Blobs, HeldBlob } from '../blobs.js';
import type { ResourceCache } from './resources.js';

/** A file that is not sent: its content is known by its sha1. `mode` is octal. */
export interface KnownFile {
  path: string;
  mode: number;
  sha1: string;
  bytes: number;
}

export interface PackageLimits {
  /** Of the zip as sent. */
  max_bytes: number;
  /** Of all files, unpacked. */
  max_unpacked_bytes: number;
  max_entries: number;
}

export const PACKAGE_LIMITS: PackageLimits = {
  max_bytes: 1_073_741_824,
  max_unpacked_bytes: 4 * 1_073_741_824,
  max_entries: 300_000,
};

export interface PackageParts {
  blobs: Blobs;
  resources: ResourceCache;
  limits: PackageLimits;
  signal: AbortSignal;
}

/**
 * Makes the blob of a package. `sent`: path of the uploaded zip file, in a scratch folder; undefined where every file
 * is known. Throws archive_invalid for names and links that leave the tree, for bombs, and for a file that is not known.
 */
export async function makePackage(
  sent: string | undefined,
  known: readonly KnownFile[],
  { blobs, resources, limits, signal }: PackageParts,
): Promise<HeldBlob> {
  const scratch = await blobs.scratch();
  try {
    const tree = join(scratch.path, 'tree');
    await mkdir(tree);
    const bounds = { max_bytes: limits.max_unpacked_bytes, max_entries: limits.max_entries };
    if (sent !== undefined) await unpack(sent, tree, bounds, signal);
    await refuseLeavingLinks(tree);
    await remember(tree, resources, signal);
    if (sent !== undefined && known.length === 0) return await blobs.adopt(sent);
    for (const file of known) await bring(file, tree, resources);
    const whole = join(scratch.path, 'package.zip');
    await zipTree(tree, whole, signal);
    return await blobs.adopt(whole);
  } finally {
    await scratch.remove();
  }
}

async function bring({ path, mode, sha1 }: KnownFile, tree: string, resources: ResourceCache): Promise<void> {
  const name = normalize(path);
  const to = join(tree, name);
  if (path.includes('\0') || name === '.' || !to.startsWith(`${tree}${sep}`) || path.startsWith('/')) {
    throw new UnikError('archive_invalid', `the name ${JSON.stringify(path)} leaves the folder`);
  }
  await mkdir(dirname(to), { recursive: true });
  const parent = await realpath(dirname(to));
  if (parent !== tree && !parent.startsWith(`${tree}${sep}`)) {
    throw new UnikError('archive_invalid', `the name ${JSON.stringify(path)} leads through a link`);
  }
  if (!(await resources.copyTo(sha1, to))) {
    throw new UnikError('archive_invalid', `the file ${path} was not sent, and its content ${sha1} is not known`);
  }
  // As Cloud Controller does: its owner can always read and write it.
  await chmod(to, (mode & 0o777) | 0o600);
}

/** A link that points out of the package would be one into the stager's host. */
async function refuseLeavingLinks(tree: string): Promise<void> {
  for await (const { path, kind } of walk(tree)) {
    if (kind !== 'link') continue;
    const target = await readlink(path);
    const end = resolve(dirname(path), target);
    if (end !== tree && !end.startsWith(`${tree}${sep}`)) {
      throw new UnikError('archive_invalid', `the link ${relative(tree, path)} points out of the package: ${target}`);
    }
  }
}

async function remember(tree: string, resources: ResourceCache, signal: AbortSignal): Promise<void> {
  for await (const { path, kind } of walk(tree)) {
    if (kind !== 'file') continue;
    signal.throwIfAborted();
    const { size } = await stat(path);
    // The cache has bounds of its own; this only saves reading what it would not take.
    if (size >= 65_536) await resources.keep(path, await sha1Of(path), size);
  }
}

async function zipTree(tree: string, to: string, signal: AbortSignal): Promise<void> {
  const zip = new ZipFile();
  const written = pipeline(zip.outputStream, createWriteStream(to, { flags: 'wx', mode: 0o600 }), { signal });
  for await (const { path, kind } of walk(tree)) {
    const name = relative(tree, path);
    if (kind === 'folder') zip.addEmptyDirectory(name, { mtime: DAWN });
    else if (kind === 'link') {
      zip.addBuffer(Buffer.from(await readlink(path)), name, { mode: 0o120777, mtime: DAWN, compress: false });
    } else {
      const { mode } = await stat(path);
      zip.addFile(path, name, { mode: 0o100000 | (mode & 0o777), mtime: DAWN });
    }
  }
  zip.end();
  await written;
}

/** The same files give the same bytes, whenever they came. */
const DAWN = new Date('2000-01-01T00:00:00Z');

/** Everything below a folder, sorted; folders before what is in them. */
async function* walk(folder: string): AsyncGenerator<{ path: string; kind: 'file' | 'folder' | 'link' }> {
  for (const name of (await readdir(folder)).sort()) {
    const path = join(folder, name);
    const found = await lstat(path);
    if (found.isSymbolicLink()) yield { path, kind: 'link' };
    else if (found.isDirectory()) {
      yield { path, kind: 'folder' };
      yield* walk(path);
    } else yield { path, kind: 'file' };
  }
}

async function sha1Of(path: string): Promise<string> {
  const hash = createHash('sha1');
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) hash.update(chunk);
  return hash.digest('hex');
}
