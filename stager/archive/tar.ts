import { createReadStream, createWriteStream } from 'node:fs';
import { chmod, link, lstat, mkdir, readdir, readlink, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PassThrough, type Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { extract, pack, type ExtractEvents, type Pack } from 'tar-stream';
import { hasCode, messageOf, UnikError } from '../../core/errors.js';
import { Unpacking, type ArchiveLimits } from './place.js';

export interface UnpackTarOptions {
  gzip?: boolean;
  /** Leading parts of each path to leave away; what has no more is left out. */
  strip?: number;
  limits?: ArchiveLimits;
  signal?: AbortSignal | undefined;
}

/**
 * Unpacks a tar stream into an existing folder, under the rules of `Unpacking`. Devices and pipes are left out.
 * Throws archive_unsafe, archive_too_large, archive_invalid.
 */
export async function unpackTar(content: Readable, into: string, options: UnpackTarOptions = {}): Promise<void> {
  const unpacking = new Unpacking(options.limits);
  const tar = extract();
  const signal = options.signal ? { signal: options.signal } : {};
  const done = pipeline(content, options.gzip ? createGunzip() : new PassThrough(), tar, signal);
  const read = async (): Promise<void> => {
    for await (const entry of tar) await unpackEntry(entry, into, unpacking, options.strip ?? 0);
  };
  try {
    await Promise.all([done, read()]);
  } catch (err) {
    tar.destroy();
    await done.catch(() => undefined);
    options.signal?.throwIfAborted();
    if (err instanceof UnikError || hasCode(err, 'ENOSPC') || hasCode(err, 'EDQUOT')) throw err;
    throw new UnikError('archive_invalid', `the tar file cannot be unpacked: ${messageOf(err)}`, { cause: err });
  }
}

type Entry = ExtractEvents['entry'][1];

async function unpackEntry(entry: Entry, into: string, unpacking: Unpacking, strip: number): Promise<void> {
  const { name, type, mode, linkname } = entry.header;
  const path = unpacking.place(stripped(name, strip) ?? '');
  const at = join(into, path);
  if (path === '') {
    entry.resume();
  } else if (type === 'directory') {
    entry.resume();
    await mkdir(at, { recursive: true });
  } else if (type === 'symlink') {
    entry.resume();
    unpacking.link(path, linkname);
    await mkdir(dirname(at), { recursive: true });
    await symlink(linkname, at);
  } else if (type === 'link') {
    entry.resume();
    await mkdir(dirname(at), { recursive: true });
    await link(join(into, unpacking.place(stripped(linkname, strip) ?? '')), at);
  } else if (type === 'file' || type === 'contiguous-file') {
    await mkdir(dirname(at), { recursive: true });
    await pipeline(entry, unpacking.counter(), createWriteStream(at));
    await chmod(at, (mode & 0o111) === 0 ? 0o644 : 0o755);
  } else {
    entry.resume();
  }
}

function stripped(name: string, strip: number): string | undefined {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  // A name that is unsafe must stay so, for the one who judges it.
  if (name.startsWith('/')) return name;
  return parts.length <= strip ? undefined : parts.slice(strip).join('/');
}

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
