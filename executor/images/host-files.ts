import { lstatSync, readlinkSync, realpathSync, type Stats } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { hasCode, messageOf, UnikError } from '../../core/errors.js';
import { readFolder, toEntry } from './read-folder.js';
import { ROOT, type FolderEntry, type RootTree } from './tree.js';

/** As many as the kernel follows before it says ELOOP. */
const MAX_LINKS = 40;

/**
 * Adds a file of this host at its own path, with every symlink on the way (`/lib` → `usr/lib`, a library's short
 * name → its versioned file), so that the path means the same inside. `root`: a folder that stands for `/`, without a
 * slash at its end. Throws source_unreadable.
 */
export function addHostFile(tree: RootTree, path: string, root = ''): void {
  const { real } = mirrorLinks(tree, path, root);
  const entry = toEntry(root + real, statHost(root + real), ROOT);
  if (!entry) throw new UnikError('source_unreadable', `${root}${real} is not a regular file`);
  tree.put(real, entry);
}

/** Adds a file of this host at another path. Symlinks are followed, so what the name stands for goes in. */
export function addHostFileAt(tree: RootTree, path: string, at: string): void {
  const real = realpathSync(path);
  const entry = toEntry(real, statHost(real), ROOT);
  if (!entry) throw new UnikError('source_unreadable', `${real} is not a regular file`);
  tree.put(at, entry);
}

/** Adds a folder of this host, with all below it, at its own path; `root` as above. `skip` is told paths inside the folder. */
export async function addHostFolder(
  tree: RootTree,
  path: string,
  { skip, root = '' }: { skip?: (path: string, isFolder: boolean) => boolean; root?: string } = {},
): Promise<FolderEntry> {
  const { real } = mirrorLinks(tree, path, root);
  const folder = tree.folder(real);
  await readFolder(root + real, folder, { owner: ROOT, ...(skip ? { skip } : {}) });
  return folder;
}

/** Puts the symlinks met on the way to `path` into the tree; gives where the way ends. */
function mirrorLinks(tree: RootTree, path: string, root: string): { real: string } {
  let rest = resolve('/', path).split('/').slice(1);
  let at = '/';
  let links = 0;
  while (rest.length > 0) {
    const [name = '', ...below] = rest;
    const here = join(at, name);
    if (statHost(root + here).isSymbolicLink()) {
      if (++links > MAX_LINKS) throw new UnikError('source_unreadable', `${path}: too many symbolic links`);
      const target = readlinkSync(root + here);
      tree.symlink(here, target);
      rest = [...resolve(dirname(here), target).split('/').slice(1), ...below].filter((part) => part !== '');
      at = '/';
    } else {
      at = here;
      rest = below;
    }
  }
  return { real: at };
}

function statHost(path: string): Stats {
  try {
    return lstatSync(path);
  } catch (err) {
    const why = hasCode(err, 'ENOENT') ? 'it does not exist' : messageOf(err);
    throw new UnikError('source_unreadable', `cannot read ${path}: ${why}`, { cause: err });
  }
}
