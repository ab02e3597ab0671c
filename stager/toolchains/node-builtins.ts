import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { libraryClosure } from '../../executor/images/closure.js';
import { readElf } from '../../executor/images/elf.js';
import type { Arch } from '../../executor/model.js';

/** Where distributions keep what they took out of Node.js, and how its library names it. */
const NAMED = /\/usr\/share\/nodejs\/[\w./@-]+\.js/g;

/**
 * Parts of Node.js itself that lie outside it: Debian builds it so, and without them it aborts at its first step. The
 * files below `root` that `node`, a path in it, names; none for a Node.js that is whole.
 */
export function outsideBuiltins(node: string, arch: Arch, root = ''): string[] {
  // A Node.js that is whole needs no search: a bare root may lack what it loads, which lies beside the buildpack.
  if (!readElf(root + node)?.needed.some((name) => name.startsWith('libnode.so'))) return [];
  const library = libraryClosure([root + node], { arch, root }).find((path) => /\/libnode\.so/.test(path));
  if (library === undefined) return [];
  const text = readFileSync(realpathSync(library)).toString('latin1');
  return [...new Set(text.match(NAMED) ?? [])].filter((path) => existsSync(root + path)).sort();
}
