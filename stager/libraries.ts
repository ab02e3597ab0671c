import { posix, relative, sep } from 'node:path';
import { UnikError } from '../core/errors.js';
import { APP_DIR } from '../executor/images/base.js';
import { libraryClosure } from '../executor/images/closure.js';
import { readElf } from '../executor/images/elf.js';
import { addHostFile, addHostFileAt } from '../executor/images/host-files.js';
import type { ImageFinding } from '../executor/images/image.js';
import { fromKey, type FolderEntry, type RootTree } from '../executor/images/tree.js';
import type { Arch } from '../executor/model.js';
import { checkModules, type NativeModule } from './foreign-modules.js';

export interface LibraryOptions {
  tree: RootTree;
  /** Folder on this host that the application was read from. */
  appDir: string;
  arch: Arch;
  /** ELF files on this host that must run. */
  programs: readonly string[];
  /** ELF files on this host that may lack a library: they are then left as they are, without a word. */
  modules: readonly string[];
  /** Where the libraries of `programs` and `modules` are looked for first. */
  libraryPath: readonly string[];
  /** Folders on this host that are in the image already. */
  folders: readonly string[];
  /** Folders of the image, beside the application's, that programs and modules are looked for in. */
  searched?: readonly string[];
  /** A folder that stands for `/` where libraries are looked for. Default: the host's own. */
  root?: string | undefined;
  /** The root is another processor's: native code that was made for this host's is then refused. */
  foreign?: boolean;
  processes: readonly { argv: readonly string[] }[];
}

/**
 * Adds the libraries of every program and native module of the image. What a process names must be complete: throws
 * library_missing, arch_mismatch. A module that is merely there (a build for another system among them) may lack
 * something: that is a finding.
 */
export function addLibraries(options: LibraryOptions): { added: string[]; programs: number; findings: ImageFinding[] } {
  const { tree, appDir, arch, libraryPath, root = '' } = options;
  const closure = { arch, libraryPath, root };
  const named = new Set(options.processes.map(({ argv }) => argv[0] ?? ''));
  const inApp = [APP_DIR, ...(options.searched ?? [])].flatMap((folder) => nativeFiles(tree, folder));
  if (options.foreign) checkModules(inApp.flatMap(moduleOf), arch);
  const isNamed = (file: NativeFile): boolean => named.has(file.place);
  const required = [...options.programs, ...inApp.filter(isNamed).map(({ path }) => path)];
  const optional = [
    ...options.modules.map((path) => ({ path, place: undefined })),
    ...inApp.filter((file) => !isNamed(file)),
  ];
  const found = new Set(libraryClosure(required, closure));
  const findings: ImageFinding[] = [];
  let programs = required.length;
  for (const { path, place } of optional) {
    const elf = readElf(path);
    if (elf?.arch !== arch || elf.kind === 'object') continue;
    programs += 1;
    try {
      libraryClosure([path], closure).forEach((library) => found.add(library));
    } catch (err) {
      if (!(err instanceof UnikError)) throw err;
      // A part of the runtime that this host cannot run either is nothing the application asked for.
      if (place === undefined) continue;
      // The finding is in the image, and the image does not depend on where the application lay.
      const message = `${err.message.replaceAll(`${appDir}/`, '')}: what uses it will fail`;
      findings.push({ level: 'info', code: err.code, message, file: posix.relative(APP_DIR, place) });
    }
  }
  const present = [appDir, ...options.folders];
  const added = [...found].filter((path) => !present.some((dir) => isInside(dir, path))).sort();
  for (const path of added) {
    if (root !== '' && isInside(root, path)) addHostFileAt(tree, path, path.slice(root.length));
    else addHostFile(tree, path);
  }
  return { added, programs, findings };
}

function moduleOf({ place, path }: NativeFile): NativeModule[] {
  const elf = readElf(path);
  return elf === undefined || elf.kind === 'object' ? [] : [{ place, arch: elf.arch }];
}

interface NativeFile {
  /** In the image. */
  place: string;
  /** On this host. */
  path: string;
}

/** Files below a folder of the image that may be ELF files: executable ones, and those named as libraries and modules are. */
function nativeFiles(tree: RootTree, top: string): NativeFile[] {
  const files: NativeFile[] = [];
  const visit = (folder: FolderEntry, inside: string): void => {
    for (const [key, entry] of folder.children) {
      if (entry.kind === 'folder') visit(entry, `${inside}/${fromKey(key)}`);
      if (entry.kind !== 'file' || entry.content instanceof Uint8Array) continue;
      if ((entry.mode & 0o111) === 0 && !/\.(so|node)(\.[\d.]+)?$/.test(key)) continue;
      const path = entry.content.path.toString();
      if (readElf(path)) files.push({ place: `${inside}/${fromKey(key)}`, path });
    }
  };
  visit(tree.folder(top), top);
  return files.sort((a, b) => (a.place < b.place ? -1 : 1));
}

function isInside(dir: string, path: string): boolean {
  const inside = relative(dir, path);
  return inside !== '..' && !inside.startsWith(`..${sep}`);
}
