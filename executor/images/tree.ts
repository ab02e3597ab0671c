import { UnikError } from '../../core/errors.js';

/** Owner inside the image. */
export interface OwnedBy {
  uid: number;
  gid: number;
}

export const ROOT: OwnedBy = { uid: 0, gid: 0 };
/** The application's user, as in a Cloud Foundry container. */
export const VCAP: OwnedBy = { uid: 2000, gid: 2000 };

/** Where a file's bytes come from: memory, or a file on this host that is read when the image is written. */
export type Content = Uint8Array | { path: string | Buffer };

export type Entry =
  | ({ kind: 'folder'; mode: number; children: Map<string, Entry> } & OwnedBy)
  | ({ kind: 'file'; mode: number; bytes: number; content: Content } & OwnedBy)
  | ({ kind: 'symlink'; target: Buffer } & OwnedBy);
export type FolderEntry = Extract<Entry, { kind: 'folder' }>;
export type FileEntry = Extract<Entry, { kind: 'file' }>;

/**
 * The files of an image before it is written: paths, modes, owners, and where the bytes are. Nothing is copied.
 * A name is kept as a `latin1` string of its bytes, so that any file name survives and `<` compares as bytes do.
 */
export class RootTree {
  readonly root: FolderEntry = folder(0o755, ROOT);

  /** Makes the folder and those above it. An existing folder keeps its mode and owner. */
  folder(path: string, mode = 0o755, owner: OwnedBy = ROOT): FolderEntry {
    let at = this.root;
    for (const name of names(path)) {
      const next = at.children.get(name);
      if (next === undefined) {
        const made = folder(mode, owner);
        at.children.set(name, made);
        at = made;
      } else if (next.kind === 'folder') {
        at = next;
      } else {
        throw new UnikError('internal', `${path}: a part of the path is a ${next.kind}, not a folder`);
      }
    }
    return at;
  }

  file(path: string, content: string | Uint8Array, mode = 0o644, owner: OwnedBy = ROOT): void {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    this.put(path, { kind: 'file', mode, bytes: bytes.length, content: bytes, ...owner });
  }

  symlink(path: string, target: string, owner: OwnedBy = ROOT): void {
    this.put(path, { kind: 'symlink', target: Buffer.from(target), ...owner });
  }

  /** Puts an entry in its place, making the folders above; replaces what was there. */
  put(path: string, entry: Entry): void {
    const parts = names(path);
    const last = parts.pop();
    if (last === undefined) throw new UnikError('internal', 'the root of a tree cannot be replaced');
    this.folder(parts.map(fromKey).join('/')).children.set(last, entry);
  }

  /** The entry at exactly this path; symlinks above it are not followed. */
  get(path: string): Entry | undefined {
    let at: Entry | undefined = this.root;
    for (const name of names(path)) {
      if (at?.kind !== 'folder') return undefined;
      at = at.children.get(name);
    }
    return at;
  }

  /** Files and bytes below a folder. */
  measure(path = '/'): { files: number; bytes: number } {
    const total = { files: 0, bytes: 0 };
    const add = (entry: Entry): void => {
      if (entry.kind === 'folder') entry.children.forEach(add);
      else total.files += 1;
      if (entry.kind === 'file') total.bytes += entry.bytes;
    };
    const start = this.get(path);
    if (start) add(start);
    return total;
  }
}

function folder(mode: number, owner: OwnedBy): FolderEntry {
  return { kind: 'folder', mode, children: new Map(), ...owner };
}

/** A name as the tree keeps it: one character per byte. */
export function toKey(name: string | Buffer): string {
  return (typeof name === 'string' ? Buffer.from(name) : name).toString('latin1');
}

export function fromKey(key: string): string {
  // eslint-disable-next-line no-control-regex -- the whole of ASCII is meant: there both forms are the same
  if (/^[\x00-\x7f]*$/.test(key)) return key;
  return Buffer.from(key, 'latin1').toString();
}

function names(path: string): string[] {
  return path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .map(toKey);
}
