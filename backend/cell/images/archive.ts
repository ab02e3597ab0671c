import { createReadStream, createWriteStream } from 'node:fs';
import { open, writeFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { PassThrough, Transform, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract, type Header } from 'tar-stream';
import { hasCode, messageOf, UnikError } from '../../../core/errors.js';
import type { Entry, OwnedBy, RootTree } from '../../../executor/images/tree.js';
import { listZip, readZipEntry } from '../../../stager/zip.js';
import { inTree } from './in-tree.js';

export interface ArchiveOptions {
  /** Folder in the tree. */
  to: string;
  owner: OwnedBy;
  /** Empty folder of this host for the files' bytes, under names of our own; kept until the image is written. */
  spool: string;
  /** Bound of what comes out. */
  max_bytes: number;
  signal: AbortSignal;
}

/**
 * Puts what a gzipped tar, a plain tar or a zip holds into the tree. Names decide nothing on this host: one that
 * climbs ends at the tree's root. Devices and pipes are left out. Gives the bytes of its files. Throws image_truncated,
 * disk_full.
 */
export async function addArchive(tree: RootTree, path: string, options: ArchiveOptions): Promise<number> {
  const { signal, owner, to } = options;
  tree.folder(inTree(tree, to), 0o755, owner);
  try {
    const kind = await kindOf(path);
    if (kind === 'zip') return await addZip(tree, path, options);
    return await addTar(tree, createReadStream(path), kind === 'gzip', options);
  } catch (err) {
    signal.throwIfAborted();
    if (err instanceof UnikError || hasCode(err, 'ENOSPC')) throw err;
    throw new UnikError('image_truncated', `the archive cannot be read: ${messageOf(err)}`, { cause: err });
  }
}

async function kindOf(path: string): Promise<'gzip' | 'zip' | 'tar'> {
  const file = await open(path, 'r');
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
    if (buffer[0] === 0x1f && buffer[1] === 0x8b) return 'gzip';
    return buffer.toString('latin1') === 'PK\u0003\u0004' ? 'zip' : 'tar';
  } finally {
    await file.close();
  }
}

async function addTar(tree: RootTree, from: Readable, zipped: boolean, options: ArchiveOptions): Promise<number> {
  const tar = extract();
  const { signal, spool, max_bytes } = options;
  const done = pipeline(from, zipped ? createGunzip() : new PassThrough(), limited(max_bytes), tar, { signal });
  let bytes = 0;
  const read = async (): Promise<void> => {
    let count = 0;
    for await (const entry of tar) {
      const { header } = entry;
      if (header.type === 'file' || header.type === 'contiguous-file') {
        const file = join(spool, String(count++));
        await pipeline(entry, createWriteStream(file, { flags: 'wx', mode: 0o600 }));
        putFile(tree, header, file, options);
        bytes += header.size;
      } else {
        entry.resume();
        putOther(tree, header, options);
      }
    }
  };
  await Promise.all([done, read()]);
  return bytes;
}

function putFile(
  tree: RootTree,
  { name, mode = 0o644, size = 0 }: Pick<Header, 'name'> & { mode?: number; size?: number },
  file: string,
  { to, owner }: ArchiveOptions,
): void {
  const entry: Entry = { kind: 'file', mode: mode & 0o777, bytes: size, content: { path: file }, ...owner };
  tree.put(inTree(tree, posix.join(to, name)), entry);
}

function putOther(tree: RootTree, { name, type, mode, linkname }: Header, { to, owner }: ArchiveOptions): void {
  const path = inTree(tree, posix.join(to, name));
  if (type === 'directory') {
    // What `.` says of itself is no reason to change the folder that is there.
    if (tree.get(path)?.kind !== 'folder') tree.folder(path, mode & 0o777, owner);
  } else if (type === 'symlink') {
    tree.symlink(path, linkname, owner);
  } else if (type === 'link') {
    const target = tree.get(inTree(tree, posix.join(to, linkname)));
    if (target?.kind === 'file') tree.put(path, target);
  }
}

async function addZip(tree: RootTree, path: string, options: ArchiveOptions): Promise<number> {
  let left = options.max_bytes;
  for (const [index, { name }] of listZip(path).entries()) {
    options.signal.throwIfAborted();
    if (name.endsWith('/')) continue;
    const content = readZipEntry(path, name) ?? Buffer.alloc(0);
    left -= content.length;
    if (left < 0) throw tooLarge(options.max_bytes);
    const file = join(options.spool, String(index));
    await writeFile(file, content, { mode: 0o600, flag: 'wx' });
    // The directory's modes are not read: what a zip brings may be run.
    putFile(tree, { name, mode: 0o755, size: content.length }, file, options);
  }
  return options.max_bytes - left;
}

function limited(max_bytes: number): Transform {
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes > max_bytes) done(tooLarge(max_bytes));
      else done(null, chunk);
    },
  });
}

const tooLarge = (max_bytes: number): UnikError =>
  new UnikError('image_invalid', `the archive holds more than ${Math.floor(max_bytes / 2 ** 20)} MB`);
