import { lstatSync, readdirSync, readlinkSync, type Stats } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { hasCode, messageOf, UnikError } from '../../core/errors.js';
import type { ImageFinding } from './image.js';
import { fromKey, type Entry, type FolderEntry, type OwnedBy } from './tree.js';

export interface ReadFolderOptions {
  owner: OwnedBy;
  /** Told the path inside the folder, with `/`; true leaves the entry, and all below it, out. */
  skip?: (path: string, isFolder: boolean) => boolean;
  onFinding?: (finding: ImageFinding) => void;
  signal?: AbortSignal | undefined;
}

const SLASH = Buffer.from('/');
/** After how many entries other work of this process gets its turn. */
const TURN = 500;

/**
 * Adds what lies in the host folder `path` to `into`, without reading any file's bytes and without following
 * symlinks. Modes become 0755 or 0644 by the owner's execute bit, so that a checkout's umask does not show; sockets,
 * pipes and devices are left out with a finding. Throws source_unreadable.
 */
export async function readFolder(path: string, into: FolderEntry, options: ReadFolderOptions): Promise<void> {
  const turn = { left: TURN };
  const visit = async (dir: HostPath, inside: string, to: FolderEntry): Promise<void> => {
    for (const key of namesIn(dir)) {
      const from = join(dir, key);
      const shown = inside + fromKey(key);
      const stats = statOf(from);
      if (stats === undefined || options.skip?.(shown, stats.isDirectory())) continue;
      if (stats.isDirectory()) {
        const folder = folderAt(to, key, options.owner);
        await visit(from, `${shown}/`, folder);
      } else {
        const entry = toEntry(from, stats, options.owner);
        if (entry) to.children.set(key, entry);
        else options.onFinding?.(skipped(shown));
      }
      if (--turn.left <= 0) {
        turn.left = TURN;
        await setImmediate();
        options.signal?.throwIfAborted();
      }
    }
  };
  await visit(path, '', into);
}

/** Text as long as it is ASCII, which nearly every path is; bytes for all others, as not every name is UTF-8. */
type HostPath = string | Buffer;

function join(dir: HostPath, key: string): HostPath {
  // eslint-disable-next-line no-control-regex -- the whole of ASCII is meant
  if (typeof dir === 'string' && /^[\x00-\x7f]*$/.test(key)) return `${dir}/${key}`;
  return Buffer.concat([Buffer.from(dir), SLASH, Buffer.from(key, 'latin1')]);
}

/** The entry for one file or symlink of the host; undefined for what an image cannot hold. */
export function toEntry(from: HostPath, stats: Stats, owner: OwnedBy): Entry | undefined {
  if (stats.isSymbolicLink()) return { kind: 'symlink', target: readlinkSync(from, { encoding: 'buffer' }), ...owner };
  if (!stats.isFile()) return undefined;
  const mode = (stats.mode & 0o100) === 0 ? 0o644 : 0o755;
  return { kind: 'file', mode, bytes: stats.size, content: { path: from }, ...owner };
}

function folderAt(parent: FolderEntry, key: string, owner: OwnedBy): FolderEntry {
  const there = parent.children.get(key);
  if (there?.kind === 'folder') return there;
  const made: FolderEntry = { kind: 'folder', mode: 0o755, children: new Map(), ...owner };
  parent.children.set(key, made);
  return made;
}

/** One character per byte. */
function namesIn(dir: HostPath): string[] {
  try {
    return readdirSync(dir, { encoding: 'latin1' });
  } catch (err) {
    throw new UnikError('source_unreadable', `cannot list ${dir.toString()}: ${messageOf(err)}`, { cause: err });
  }
}

function statOf(path: HostPath): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (err) {
    if (hasCode(err, 'ENOENT')) return undefined;
    throw new UnikError('source_unreadable', `cannot read ${path.toString()}: ${messageOf(err)}`, { cause: err });
  }
}

function skipped(path: string): ImageFinding {
  return {
    level: 'warning',
    code: 'special_file_skipped',
    message: `${path} is a socket, a pipe or a device: it is left out of the image`,
    file: path,
  };
}
