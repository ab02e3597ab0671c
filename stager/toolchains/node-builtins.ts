import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { libraryClosure } from '../../executor/images/closure.js';
import { readElf } from '../../executor/images/elf.js';
import type { Arch } from '../../executor/model.js';

/** Where distributions keep what they took out of Node.js, and how its library names it. */
const NAMED = /\/usr\/share\/nodejs\/[\w./@-]+\.js/g;

/**
 * Parts of Node.js itself that lie outside it: Debian builds it so, and without them it aborts at its first step. The
 * files of this host that `node` names; none for a Node.js that is whole.
 */
export function outsideBuiltins(node: string, arch: Arch): string[] {
  // A Node.js that is whole needs no search: a bare root may lack what it loads, which lies beside the buildpack.
  if (!readElf(node)?.needed.some((name) => name.startsWith('libnode.so'))) return [];
  const library = libraryClosure([node], { arch }).find((path) => /\/libnode\.so/.test(path));
  if (library === undefined) return [];
  const text = readFileSync(realpathSync(library)).toString('latin1');
  return [...new Set(text.match(NAMED) ?? [])].filter((path) => existsSync(path)).sort();
}
