import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { hasCode } from '../../core/errors.js';
import type { Arch } from '../model.js';

/** The folders where the loader of a glibc system looks by itself: those of /etc/ld.so.conf, then the built-in ones. */
export function glibcDirs(arch: Arch, etc = '/etc'): string[] {
  const triplet = `${arch}-linux-gnu`;
  const builtIn = [`/lib/${triplet}`, `/usr/lib/${triplet}`, '/lib64', '/usr/lib64', '/lib', '/usr/lib'];
  return [...new Set([...readConf(join(etc, 'ld.so.conf'), 0), ...builtIn])];
}

/** The same for musl, whose list is one file beside its loader's name. */
export function muslDirs(arch: Arch, etc = '/etc'): string[] {
  const path = join(etc, `ld-musl-${arch}.path`);
  const listed = existsSync(path) ? readFileSync(path, 'utf8').split(/[:\n]/) : ['/lib', '/usr/local/lib', '/usr/lib'];
  return [...listed.filter((dir) => dir !== ''), `/usr/lib/${arch}-linux-musl`];
}

function readConf(path: string, depth: number): string[] {
  // A file that includes itself must not hang us; glibc stops likewise.
  if (depth > 8) return [];
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (err) {
    if (hasCode(err, 'ENOENT')) return [];
    throw err;
  }
  return text.split('\n').flatMap((line) => {
    const words = line
      .replace(/#.*/, '')
      .trim()
      .split(/[\s,:]+/)
      .filter((word) => word !== '');
    if (words[0] !== 'include') return words.filter(isAbsolute);
    return words
      .slice(1)
      .flatMap((pattern) => expand(isAbsolute(pattern) ? pattern : join(dirname(path), pattern)))
      .flatMap((file) => readConf(file, depth + 1));
  });
}

/** Stars in the last part only, which is all that is in use. */
function expand(pattern: string): string[] {
  const dir = dirname(pattern);
  if (!existsSync(dir)) return [];
  const wanted = new RegExp(
    `^${basename(pattern)
      .split('*')
      .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
      .join('.*')}$`,
  );
  return readdirSync(dir)
    .filter((name) => wanted.test(name))
    .sort()
    .map((name) => join(dir, name));
}
