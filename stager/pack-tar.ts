import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { pack, type Pack } from 'tar-stream';
import { messageOf } from '../core/errors.js';

/** What goes into a tar file: a folder of this host with all below it, or a text, each by its name there. */
export type TarPart = { name: string; dir: string } | { name: string; text: string };

/**
 * Writes the parts as a gzipped tar, each folder in order of names, owned by nobody in particular, and ends `out`. With
 * `mtime` all times are that one, so that the same files give the same bytes; `quick` trades size for time.
 */
export async function packTar(
  parts: readonly TarPart[],
  out: Writable,
  options: { mtime?: Date; quick?: boolean; signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const tar = pack();
  const written = pipeline(
    tar,
    createGzip(options.quick ? { level: 1 } : {}),
    out,
    options.signal ? { signal: options.signal } : {},
  );
  written.catch((err: unknown) => tar.destroy(err instanceof Error ? err : new Error(messageOf(err))));
  const add = async (): Promise<void> => {
    for (const part of parts) {
      if ('dir' in part) await addFolder(tar, part.dir, part.name, options.mtime);
      else await addText(tar, part.name, part.text, options.mtime ?? new Date());
    }
    tar.finalize();
  };
  await Promise.all([written, add()]);
}

async function addText(tar: Pack, name: string, text: string, mtime: Date): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    tar.entry({ ...NOBODY, name, mode: 0o644, mtime }, text, (err) => (err ? reject(err) : resolve()));
  });
}

async function addFolder(tar: Pack, dir: string, name: string, mtime: Date | undefined): Promise<void> {
  await addEntry(tar, { name: `${name}/`, type: 'directory', mode: 0o755, mtime: mtime ?? (await lstat(dir)).mtime });
  for (const child of (await readdir(dir)).sort()) {
    const from = join(dir, child);
    const inside = `${name}/${child}`;
    const stats = await lstat(from);
    const head = { name: inside, mtime: mtime ?? stats.mtime };
    if (stats.isDirectory()) {
      await addFolder(tar, from, inside, mtime);
    } else if (stats.isSymbolicLink()) {
      await addEntry(tar, { ...head, type: 'symlink', linkname: await readlink(from) });
    } else if (stats.isFile()) {
      const mode = (stats.mode & 0o100) === 0 ? 0o644 : 0o755;
      const entry = tar.entry({ ...head, ...NOBODY, type: 'file', mode, size: stats.size });
      await pipeline(createReadStream(from, { highWaterMark: 1024 * 1024 }), entry);
    }
  }
}

const NOBODY = { uid: 0, gid: 0 };

async function addEntry(tar: Pack, header: Parameters<Pack['entry']>[0]): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    tar.entry({ ...NOBODY, ...header }, (err) => (err ? reject(err) : resolve()));
  });
}
