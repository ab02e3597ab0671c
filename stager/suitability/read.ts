import { lstatSync } from 'node:fs';
import { readElfSymbols } from '../../executor/images/elf-symbols.js';
import { readElf } from '../../executor/images/elf.js';
import { fromKey, type FileEntry, type FolderEntry, type RootTree } from '../../executor/images/tree.js';
import type { Program } from './subject.js';

/** Larger programs are runtimes: their tables say that everything is there, and reading them takes long. */
const MAX_BYTES = 64 * 1024 * 1024;

export interface Reading {
  programs: Program[];
  setuid: string[];
}

/**
 * Reads the programs below the folder `app` of an image that is about to be written, and those that processes start with.
 * Libraries and modules are left out: what they can do shows in the program that calls them.
 */
export function readPrograms(tree: RootTree, app: string, started: readonly string[]): Reading {
  const reading: Reading = { programs: [], setuid: [] };
  const seen = new Set<string>();
  const look = (path: string, entry: FileEntry, from: Program['from']): void => {
    if (seen.has(path) || entry.content instanceof Uint8Array || (entry.mode & 0o111) === 0) return;
    seen.add(path);
    const file = entry.content.path;
    if (from === 'app' && (lstatSync(file).mode & 0o6000) !== 0) reading.setuid.push(path);
    const elf = readElf(file);
    if (elf?.kind !== 'executable') return;
    const { imports, functions } = entry.bytes <= MAX_BYTES ? readElfSymbols(file) : { imports: [], functions: [] };
    reading.programs.push({
      path,
      from,
      isStarted: started.includes(path),
      positionIndependent: elf.positionIndependent === true,
      // A program with its C library in it has `clone` for its threads; one that names it wants processes.
      calls: imports.length > 0 ? imports : functions.filter((name) => name !== 'clone'),
    });
  };
  const visit = (folder: FolderEntry, path: string, from: Program['from']): void => {
    for (const [key, entry] of folder.children) {
      const here = `${path}/${fromKey(key)}`;
      if (entry.kind === 'folder') visit(entry, here, from);
      else if (entry.kind === 'file') look(here, entry, from);
    }
  };
  visit(tree.folder(app), app, 'app');
  for (const path of started) {
    const entry = tree.get(path);
    if (entry?.kind === 'file') look(path, entry, 'runtime');
  }
  reading.programs.sort((a, b) => (a.path < b.path ? -1 : 1));
  reading.setuid.sort();
  return reading;
}
