import { existsSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { UnikError } from '../../core/errors.js';
import type { Arch } from '../model.js';
import { readElf, type Elf } from './elf.js';
import { glibcDirs, muslDirs } from './library-dirs.js';

export interface ClosureOptions {
  arch: Arch;
  /** Searched before the system's folders, as LD_LIBRARY_PATH is. */
  libraryPath?: readonly string[];
  /** Where ld.so.conf lies. Default `/etc`. */
  etc?: string;
  /** A folder that stands for `/` where the system's loader and libraries are looked for. Default: the host's own. */
  root?: string;
}

/** Libraries that glibc opens by name at run time: name service, and what ending a thread needs. */
const OPENED_BY_GLIBC = ['libnss_files.so.2', 'libnss_dns.so.2', 'libresolv.so.2', 'libgcc_s.so.1'];

interface Waiting {
  path: string;
  elf: Elf;
  /** DT_RPATH of the files that led here; the loader inherits it. */
  inheritedRpath: readonly string[];
  libc: Libc;
}

type Libc = 'glibc' | 'musl';

/**
 * The loader and the libraries that `programs` (ELF files on this host) need, and those need in turn, found as the
 * loader would find them but by reading files only. Paths are as found, symlinks not resolved, sorted.
 * Throws library_missing or arch_mismatch, naming the library and the file that wants it.
 */
export function libraryClosure(programs: readonly string[], options: ClosureOptions): string[] {
  const search = new Search(options);
  for (const path of programs) search.addProgram(path);
  return search.run();
}

class Search {
  readonly #options: ClosureOptions;
  readonly #dirs: Record<Libc, string[]>;
  readonly #found = new Set<string>();
  readonly #seen = new Set<string>();
  readonly #waiting: Waiting[] = [];

  constructor(options: ClosureOptions) {
    this.#options = options;
    const { arch, root = '', etc = `${root}/etc` } = options;
    const inRoot = (dirs: string[]): string[] => dirs.map((dir) => root + dir);
    this.#dirs = { glibc: inRoot(glibcDirs(arch, etc)), musl: inRoot(muslDirs(arch, etc)) };
  }

  addProgram(path: string): void {
    const elf = readElf(path);
    if (!elf) throw new UnikError('program_missing', `${path} is not a program: it is no ELF file`);
    this.#checkArch(path, elf);
    this.#visit({ path, elf, inheritedRpath: [], libc: libcOf(elf) });
  }

  run(): string[] {
    for (let item = this.#waiting.shift(); item; item = this.#waiting.shift()) this.#follow(item);
    return [...this.#found].sort();
  }

  #visit(item: Waiting): void {
    const real = realpathSync(item.path);
    if (this.#seen.has(real)) return;
    this.#seen.add(real);
    this.#waiting.push(item);
  }

  #follow(item: Waiting): void {
    const { path, elf } = item;
    if (elf.interpreter !== undefined) this.#addLoader(elf.interpreter, item);
    const rpath =
      elf.runpath.length > 0 ? [] : [...elf.rpath.map((dir) => atOrigin(dir, path)), ...item.inheritedRpath];
    const dirs = [
      ...rpath,
      ...(this.#options.libraryPath ?? []),
      ...elf.runpath.map((dir) => atOrigin(dir, path)),
      ...this.#dirs[item.libc],
    ];
    for (const name of elf.needed) {
      // musl's loader is its libc.
      if (item.libc === 'musl' && /^libc\.(so|musl-)/.test(name)) continue;
      const library = name.includes('/') ? this.#fit(this.#absolute(name)) : this.#find(name, dirs);
      if (!library) throw this.#missing(name, path, dirs);
      this.#add(library, rpath, item.libc);
      if (name === 'libc.so.6') this.#addOpenedByGlibc(dirs);
    }
  }

  #addOpenedByGlibc(dirs: readonly string[]): void {
    for (const name of OPENED_BY_GLIBC) {
      const library = this.#find(name, dirs);
      if (library) this.#add(library, [], 'glibc');
    }
  }

  #addLoader(loader: string, { path, libc }: Waiting): void {
    const fitting = this.#fit(this.#absolute(loader));
    if (!fitting)
      throw new UnikError('library_missing', `${path} needs the loader ${loader}, which is not on this host`);
    this.#add(fitting, [], libc);
  }

  #add(library: { path: string; elf: Elf }, inheritedRpath: readonly string[], libc: Libc): void {
    this.#found.add(library.path);
    this.#visit({ ...library, inheritedRpath, libc });
  }

  #find(name: string, dirs: readonly string[]): { path: string; elf: Elf } | undefined {
    for (const dir of dirs) {
      const library = this.#fit(join(dir, name));
      if (library) return library;
    }
    return undefined;
  }

  /** The file when it is a library for our machine; the loader passes over all others. */
  #fit(path: string): { path: string; elf: Elf } | undefined {
    if (!existsSync(path)) return undefined;
    const elf = readElf(path);
    return elf?.arch === this.#options.arch ? { path, elf } : undefined;
  }

  #absolute(path: string): string {
    return (this.#options.root ?? '') + path;
  }

  #missing(name: string, path: string, dirs: readonly string[]): UnikError {
    const foreign = dirs.map((dir) => join(dir, name)).find((candidate) => existsSync(candidate));
    return foreign === undefined
      ? new UnikError('library_missing', `${path} needs the library ${name}, which is not on this host`)
      : new UnikError('arch_mismatch', `${path} needs ${name}, but ${foreign} is not for ${this.#options.arch}`);
  }

  #checkArch(path: string, elf: Elf): void {
    if (elf.arch === this.#options.arch) return;
    const is = elf.arch === 'other' ? `another machine (${elf.bits} bit)` : elf.arch;
    throw new UnikError('arch_mismatch', `${path} is built for ${is}, the machine is ${this.#options.arch}`);
  }
}

function libcOf(elf: Elf): Libc {
  return elf.interpreter !== undefined && basename(elf.interpreter).startsWith('ld-musl-') ? 'musl' : 'glibc';
}

function atOrigin(dir: string, path: string): string {
  return dir.replace(/\$(ORIGIN|\{ORIGIN\})/g, dirname(realpathSync(path)));
}
