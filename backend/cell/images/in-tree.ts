import { posix } from 'node:path';
import { UnikError } from '../../../core/errors.js';
import type { RootTree } from '../../../executor/images/tree.js';

/** As many as the kernel follows before it says ELOOP. */
const MAX_LINKS = 40;

/** Where a path of the image really lies: symlinks in the folders above it are followed, `..` ends at the root. */
export function inTree(tree: RootTree, path: string): string {
  let rest = posix.resolve('/', path).split('/').slice(1);
  let at = '/';
  for (let links = 0; rest.length > 1;) {
    const [name = '', ...below] = rest;
    const here = posix.join(at, name);
    const entry = tree.get(here);
    if (entry?.kind === 'symlink') {
      if (++links > MAX_LINKS) throw new UnikError('image_invalid', `${path}: too many symbolic links`);
      rest = [...posix.resolve(at, entry.target.toString()).split('/').filter(Boolean), ...below];
      at = '/';
    } else {
      at = here;
      rest = below;
    }
  }
  return posix.join(at, rest[0] ?? '');
}
