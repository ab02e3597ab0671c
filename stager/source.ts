import { closeSync, openSync, readdirSync, readFileSync, readSync, realpathSync, statSync } from 'node:fs';
import { join, normalize, relative, sep } from 'node:path';

/** What planning sees of an application: read-only, by paths inside it with `/`. Symlinks are followed. */
export interface SourceTree {
  /** Names in a folder (`''`: the top), sorted; empty when there is no such folder. */
  list(path: string): readonly string[];
  kind(path: string): 'file' | 'folder' | undefined;
  /** Text of a file; undefined when there is none. */
  read(path: string): string | undefined;
  /** Its first bytes; empty when there is no such file. */
  head(path: string, bytes: number): Uint8Array;
  isExecutable(path: string): boolean;
  /** Where a path ends when its symlinks are followed; undefined when that is nowhere, or outside. */
  resolve(path: string): string | undefined;
}

/** The source tree of a folder on this host, without what `skip` says is no part of it. */
export function folderSource(dir: string, skip?: (path: string, isFolder: boolean) => boolean): SourceTree {
  const root = realpathSync(dir);
  const stats = (path: string): ReturnType<typeof statSync> => statSync(join(root, path), { throwIfNoEntry: false });
  const source: SourceTree = {
    list: (path) =>
      source.kind(path) === 'folder'
        ? readdirSync(join(root, path))
            .sort()
            .filter((name) => source.kind(join(path, name)) !== undefined)
        : [],
    kind: (path) => {
      const found = attempt(() => stats(path));
      const kind = found?.isFile() ? 'file' : found?.isDirectory() ? 'folder' : undefined;
      return kind !== undefined && skip?.(normalize(path).replace(/\/$/, ''), kind === 'folder') ? undefined : kind;
    },
    read: (path) => (source.kind(path) === 'file' ? readFileSync(join(root, path), 'utf8') : undefined),
    head: (path, bytes) => (source.kind(path) === 'file' ? readHead(join(root, path), bytes) : new Uint8Array()),
    isExecutable: (path) => (Number(attempt(() => stats(path))?.mode ?? 0) & 0o111) !== 0,
    resolve: (path) => {
      const real = attempt(() => realpathSync(join(root, path)));
      if (real === undefined) return undefined;
      const inside = relative(root, real);
      return inside === '..' || inside.startsWith(`..${sep}`) ? undefined : inside;
    },
  };
  return source;
}

function readHead(path: string, bytes: number): Uint8Array {
  const fd = openSync(path, 'r');
  try {
    const head = Buffer.alloc(bytes);
    return head.subarray(0, readSync(fd, head, 0, bytes, 0));
  } finally {
    closeSync(fd);
  }
}

/** A path that cannot be followed (a loop, a file as a folder) is one that is not there. */
function attempt<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
