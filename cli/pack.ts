import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pack as tarPack, type Pack } from 'tar-stream';
import { hasCode, messageOf, UnikError } from '../core/errors.js';

interface Entry {
  path: string;
  name: string;
  mode: number;
  type: 'directory' | 'file' | 'symlink';
  bytes: number;
}

/** A folder as a tar stream for a daemon elsewhere. Links stay links; sockets, pipes and devices are left out. */
export async function packFolder(
  dir: string,
  onBytes: (count: number) => void,
): Promise<{ stream: Readable; bytes: number }> {
  const entries: Entry[] = [];
  try {
    await walk(dir, '', entries);
  } catch (err) {
    const code = hasCode(err, 'ENOENT') || hasCode(err, 'ENOTDIR') ? 'source_missing' : 'source_unreadable';
    throw new UnikError(code, messageOf(err), { cause: err });
  }
  if (entries.length === 0) throw new UnikError('source_empty', `${dir} is empty`);
  const tar = tarPack();
  fill(tar, entries, onBytes).catch((err: unknown) =>
    tar.destroy(err instanceof Error ? err : new Error(messageOf(err))),
  );
  return { stream: Readable.from(tar), bytes: entries.reduce((sum, { bytes }) => sum + bytes, 0) };
}

async function walk(dir: string, prefix: string, entries: Entry[]): Promise<void> {
  for (const name of (await readdir(join(dir, prefix))).sort()) {
    const inside = prefix === '' ? name : `${prefix}/${name}`;
    const path = join(dir, inside);
    const stats = await lstat(path);
    const mode = stats.mode & 0o777;
    if (stats.isDirectory()) {
      entries.push({ path, name: inside, mode, type: 'directory', bytes: 0 });
      await walk(dir, inside, entries);
    } else if (stats.isFile()) entries.push({ path, name: inside, mode, type: 'file', bytes: stats.size });
    else if (stats.isSymbolicLink()) entries.push({ path, name: inside, mode, type: 'symlink', bytes: 0 });
  }
}

async function fill(tar: Pack, entries: readonly Entry[], onBytes: (count: number) => void): Promise<void> {
  // The epoch, so that the same folder is the same stream.
  const mtime = new Date(0);
  for (const { path, name, mode, type, bytes } of entries) {
    if (type !== 'file') {
      const linkname = type === 'symlink' ? await readlink(path) : undefined;
      tar.entry({ name, mode, type, mtime, ...(linkname !== undefined ? { linkname } : {}) });
      continue;
    }
    if (bytes === 0) {
      tar.entry({ name, mode, type, mtime }, '');
      continue;
    }
    const entry = tar.entry({ name, mode, type, mtime, size: bytes });
    await pipeline(createReadStream(path, { end: bytes - 1 }), counted(onBytes), entry);
  }
  tar.finalize();
}

function counted(onBytes: (count: number) => void) {
  return async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      onBytes(chunk.length);
      yield chunk;
    }
  };
}
