import type { Entry, FolderEntry } from './tree.js';

/** An entry below the root, with its path as the tree keeps names: one character per byte, no leading slash. */
export interface Placed {
  path: string;
  entry: Entry;
}

/** All entries below a folder, each folder before what is in it, in the order of bytes. */
export function* walk(folder: FolderEntry, prefix = ''): Iterable<Placed> {
  for (const [name, entry] of sorted(folder)) {
    const path = prefix + name;
    yield { path, entry };
    if (entry.kind === 'folder') yield* walk(entry, `${path}/`);
  }
}

/** The entries of one folder in the order of bytes. */
export function sorted(folder: FolderEntry): [string, Entry][] {
  return [...folder.children].sort(([a], [b]) => (a < b ? -1 : 1));
}
