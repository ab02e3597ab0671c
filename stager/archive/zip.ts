import { createWriteStream } from 'node:fs';
import { mkdir, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { openPromise, type Entry, type ZipFile } from 'yauzl';
import { hasCode, messageOf, UnikError } from '../../core/errors.js';
import { Unpacking, type ArchiveLimits } from './place.js';

const FORMAT = 0o170000;
const SYMLINK = 0o120000;
const MAX_TARGET = 4096;

/**
 * Unpacks a zip file into an existing folder; modes keep their execute bits. Nothing is written outside the folder and
 * no more than the limits. Throws archive_unsafe, archive_too_large, archive_invalid.
 */
export async function unpackZip(
  file: string,
  into: string,
  options: { limits?: ArchiveLimits; signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const unpacking = new Unpacking(options.limits);
  try {
    const zip = await openPromise(file, { lazyEntries: true, autoClose: false });
    try {
      for await (const entry of zip.eachEntry()) {
        options.signal?.throwIfAborted();
        await unpackEntry(zip, entry, into, unpacking);
      }
    } finally {
      zip.close();
    }
  } catch (err) {
    options.signal?.throwIfAborted();
    if (err instanceof UnikError || hasCode(err, 'ENOSPC') || hasCode(err, 'EDQUOT')) throw err;
    const unsafe = /invalid relative path|absolute path|invalid characters in fileName/.test(messageOf(err));
    throw new UnikError(
      unsafe ? 'archive_unsafe' : 'archive_invalid',
      `the zip file cannot be unpacked: ${messageOf(err)}`,
      {
        cause: err,
      },
    );
  }
}

async function unpackEntry(zip: ZipFile, entry: Entry, into: string, unpacking: Unpacking): Promise<void> {
  const path = unpacking.place(entry.fileName);
  const at = join(into, path);
  if (entry.fileName.endsWith('/')) {
    await mkdir(at, { recursive: true });
    return;
  }
  // Only an archive made on Unix has modes, in the upper half.
  const mode = entry.versionMadeBy >>> 8 === 3 ? entry.externalFileAttributes >>> 16 : 0o644;
  await mkdir(dirname(at), { recursive: true });
  const content = await zip.openReadStreamPromise(entry);
  if ((mode & FORMAT) === SYMLINK) {
    if (entry.uncompressedSize > MAX_TARGET) throw new UnikError('archive_unsafe', `the symlink ${path} is too long`);
    const target = (await buffer(content.pipe(unpacking.counter()))).toString();
    unpacking.link(path, target);
    await symlink(target, at);
    return;
  }
  await pipeline(content, unpacking.counter(), createWriteStream(at, { mode: (mode & 0o111) === 0 ? 0o644 : 0o755 }));
}
