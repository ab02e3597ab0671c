import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rm, symlink } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar-stream';
import { messageOf, toUnikError, UnikError } from '../../core/errors.js';

/** Folder of uploads inside the home; what an earlier daemon left there is swept at start. */
export const uploadsDir = (home: string): string => join(home, 'tmp');

/**
 * Unpacks a tar stream into a folder that exists only while `use` runs. Nothing is written outside of it: names that
 * climb are refused, and links are made last, so no later entry can be written through one. Throws bad_request.
 */
export async function unpackUpload<T>(
  home: string,
  body: Readable,
  signal: AbortSignal,
  use: (dir: string) => Promise<T>,
): Promise<T> {
  const dir = join(uploadsDir(home), `upload-${randomBytes(6).toString('hex')}`);
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    await unpack(body, dir, signal);
    return await use(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function unpack(body: Readable, dir: string, signal: AbortSignal): Promise<void> {
  const entries = extract();
  const links: { path: string; target: string }[] = [];
  const fed = pipeline(body, entries, { signal });
  fed.catch(() => undefined); // the loop below fails too, and `await fed` tells
  try {
    for await (const entry of entries) {
      const { header } = entry;
      const path = join(dir, inside(header.name));
      if (header.type === 'directory') {
        await mkdir(path, { recursive: true, mode: 0o755 });
      } else if (header.type === 'file' || header.type === 'contiguous-file') {
        await mkdir(dirname(path), { recursive: true, mode: 0o755 });
        await pipeline(entry, createWriteStream(path, { flags: 'wx', mode: header.mode & 0o777 }), {
          signal,
        });
      } else if (header.type === 'symlink' && header.linkname) {
        links.push({ path, target: header.linkname });
      } else {
        throw new UnikError(
          'bad_request',
          `upload: ${header.name} is a ${header.type}; only files, folders and symbolic links can be packed`,
        );
      }
      entry.resume();
    }
    await fed;
    // All folders before all links: a link's name can then not lead through another link.
    for (const { path } of links) await mkdir(dirname(path), { recursive: true, mode: 0o755 });
    for (const { path, target } of links) await symlink(target, path);
  } catch (err) {
    const error = toUnikError(err, 'bad_request');
    if (error.code !== 'bad_request') throw error;
    throw new UnikError(
      'bad_request',
      messageOf(err).startsWith('upload') ? messageOf(err) : `upload: ${messageOf(err)}`,
      { cause: err },
    );
  }
}

/** The relative path of an entry. Throws bad_request when it leaves the folder. */
function inside(name: string): string {
  const path = normalize(name);
  if (path.startsWith('/') || path === '..' || path.startsWith('../') || name.includes('\0')) {
    throw new UnikError('bad_request', `upload: the name ${JSON.stringify(name)} leaves the folder`);
  }
  return path;
}
