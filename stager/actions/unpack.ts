import { setMaxListeners } from 'node:events';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { PassThrough, type Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract, type Header } from 'tar-stream';
import { openPromise, type Entry, type ZipFile } from 'yauzl';
import { hasCode, messageOf, toUnikError, UnikError } from '../../core/errors.js';
import { SafeFolder } from './safe-folder.js';

export interface UnpackLimits {
  /** Of all files together, unpacked. */
  max_bytes: number;
  max_entries: number;
}

type Kind = 'gzip' | 'zip' | 'tar';

/**
 * Unpacks an archive into a folder, over what is there. Its kind is told by its content: gzipped tar, tar or zip.
 * Nothing is written outside of the folder, whatever names and links the archive has, and whatever links are there
 * already. Modes lose set-uid and the like. Throws archive_invalid, archive_too_large, disk_full.
 */
export async function unpack(archive: string, into: string, limits: UnpackLimits, signal: AbortSignal): Promise<void> {
  const folder = new SafeFolder(into, limits);
  try {
    const kind = await kindOf(archive);
    if (kind === 'zip') await unpackZip(archive, folder, signal);
    else await unpackTar(archive, kind, folder, signal);
    await folder.finish();
  } catch (err) {
    signal.throwIfAborted();
    if (err instanceof UnikError) throw err;
    if (hasCode(err, 'ENOSPC') || hasCode(err, 'EDQUOT')) throw toUnikError(err);
    throw new UnikError('archive_invalid', `the archive cannot be unpacked: ${messageOf(err)}`, { cause: err });
  }
}

async function kindOf(path: string): Promise<Kind> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(512), 0, 512, 0);
    if (buffer.readUInt16BE(0) === 0x1f8b) return 'gzip';
    if (buffer.toString('latin1', 0, 2) === 'PK') return 'zip';
    if (buffer.toString('latin1', 257, 262) === 'ustar') return 'tar';
    // An empty tar is zeros alone.
    if (bytesRead === 512 && buffer.every((byte) => byte === 0)) return 'tar';
    throw new UnikError('archive_invalid', 'it is neither a tar, nor a gzipped tar, nor a zip file');
  } finally {
    await file.close();
  }
}

async function unpackTar(path: string, kind: Kind, folder: SafeFolder, signal: AbortSignal): Promise<void> {
  const entries = extract();
  let current: Promise<void> = Promise.resolve();
  entries.on('entry', (header, entry, next) => {
    // Taken over at once: an archive cut short ends its entry while a folder is still being made for it, and whoever
    // comes to read the entry then waits for ever.
    const content = new PassThrough();
    pipeline(entry, content).catch((err: unknown) => content.destroy(toUnikError(err, 'archive_invalid')));
    current = unpackEntry(header, content, folder, signal).then(() => {
      content.resume();
      next(null);
    }, next);
  });
  const bytes = createReadStream(path);
  try {
    if (kind === 'gzip') await pipeline(bytes, createGunzip(), entries, { signal });
    else await pipeline(bytes, entries, { signal });
  } finally {
    await current;
  }
}

async function unpackEntry(
  { name, type, mode, linkname, size }: Header,
  content: Readable,
  folder: SafeFolder,
  signal: AbortSignal,
): Promise<void> {
  if (type === 'directory') await folder.directory(name);
  else if (type === 'file' || type === 'contiguous-file') {
    if (size <= SMALL) await folder.bytes(name, mode, await buffer(content));
    else await folder.file(name, mode, content, signal);
  } else if (type === 'symlink') folder.symlink(name, linkname);
  else if (type === 'link') folder.hardlink(name, linkname);
  else throw new UnikError('archive_invalid', `${JSON.stringify(name)} is a ${type}`);
}

const S_IFMT = 0o170000;
const S_IFLNK = 0o120000;
const MAX_LINK = 4096;
/** Files up to this many bytes are read whole. */
const SMALL = 64 * 1024;
/** Entries of a zip at once: most of the time of a small one is spent on waiting. */
const AT_ONCE = 16;

async function unpackZip(path: string, folder: SafeFolder, signal: AbortSignal): Promise<void> {
  const zip = await openPromise(path, { lazyEntries: true, autoClose: false });
  const batch: Promise<void>[] = [];
  // Each entry of a batch listens.
  setMaxListeners(0, signal);
  try {
    for await (const entry of zip.eachEntry()) {
      signal.throwIfAborted();
      batch.push(unpackZipEntry(zip, entry, folder, signal));
      if (batch.length === AT_ONCE) await allOf(batch.splice(0));
    }
    await allOf(batch.splice(0));
  } finally {
    await Promise.allSettled(batch);
    zip.close();
  }
}

async function unpackZipEntry(zip: ZipFile, entry: Entry, folder: SafeFolder, signal: AbortSignal): Promise<void> {
  const name = entry.fileName;
  // The upper half is a Unix mode, where the archive was made on Unix; 0 otherwise.
  const mode = entry.externalFileAttributes >>> 16;
  if (name.endsWith('/')) return folder.directory(name);
  const content = await zip.openReadStreamPromise(entry);
  if ((mode & S_IFMT) === S_IFLNK) {
    folder.symlink(name, await textOf(content, name));
    return;
  }
  const kept = mode === 0 ? 0o644 : mode;
  // What is longer than its entry says is an error of the stream.
  if (entry.uncompressedSize <= SMALL) await folder.bytes(name, kept, await buffer(content));
  else await folder.file(name, kept, content, signal);
}

/** Waits for all, also when one fails: nothing may go on behind the caller's back. */
async function allOf(jobs: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(jobs)).find((end) => end.status === 'rejected');
  if (failed) throw failed.reason;
}

async function textOf(content: Readable, name: string): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of content as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_LINK) throw new UnikError('archive_invalid', `the link ${JSON.stringify(name)} is too long`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
