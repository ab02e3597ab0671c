import { posix } from 'node:path';
import type { SourceTree } from '../../stager/source.js';

/** A source tree in memory: paths and texts. A text that starts with `#!` or ELF's magic is executable. */
export function fakeSource(files: Readonly<Record<string, string>>): SourceTree {
  const paths = Object.keys(files);
  const clean = (path: string): string => posix.normalize(path).replace(/^\.?(\/|$)|\/$/g, '');
  const source: SourceTree = {
    list: (path) => {
      const prefix = clean(path) === '' ? '' : `${clean(path)}/`;
      const below = paths.filter((file) => file.startsWith(prefix)).map((file) => file.slice(prefix.length));
      return [...new Set(below.map((file) => file.split('/')[0] ?? ''))].sort();
    },
    kind: (path) =>
      clean(path) in files ? 'file' : paths.some((file) => file.startsWith(`${clean(path)}/`)) ? 'folder' : undefined,
    read: (path) => files[clean(path)],
    head: (path, bytes) => Buffer.from(files[clean(path)] ?? '').subarray(0, bytes),
    isExecutable: (path) => /^(#!|\x7fELF)/.test(files[clean(path)] ?? ''),
    resolve: (path) => clean(path),
  };
  return source;
}

export const ELF = '\x7fELF';
