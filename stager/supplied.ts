import { lstatSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join, posix, relative, sep } from 'node:path';
import { hasCode } from '../core/errors.js';
import { isElfMagic } from '../executor/images/elf.js';
import { readFolder } from '../executor/images/read-folder.js';
import { VCAP, type FolderEntry, type RootTree } from '../executor/images/tree.js';

/** Where a Cloud Foundry container has what buildpacks supplied. */
export const DEPS_DIR = '/home/vcap/deps';

/** What buildpacks before ours put into their folders of the deps directory. */
export interface Supplied {
  /** The deps directory on this host, symlinks resolved. */
  dir: string;
  /** Names of the folders in it: `0`, `1`, ... */
  indices: string[];
}

/** The folders of earlier buildpacks that hold something; undefined when there are none. `own`: our index. */
export function suppliedIn(depsDir: string, own: string): Supplied | undefined {
  const dir = realpathSync(depsDir);
  const indices = readdirSync(dir).filter(
    (name) => /^\d+$/.test(name) && name !== own && readdirSync(join(dir, name)).some((file) => file !== 'config.yml'),
  );
  return indices.length === 0 ? undefined : { dir, indices: indices.sort((a, b) => Number(a) - Number(b)) };
}

/** Folders of this host with the programs (`bin`) or libraries (`lib`) of those buildpacks; a later one comes first. */
export function suppliedFolders({ dir, indices }: Supplied, name: 'bin' | 'lib'): string[] {
  return indices
    .map((index) => join(dir, index, name))
    .filter(isFolder)
    .reverse();
}

/** Where in the image a file of this host lies that is part of what was supplied; undefined: it is not. */
export function placeOf({ dir }: Supplied, path: string): string | undefined {
  const inside = relative(dir, realpathSync(path));
  return inside === '..' || inside.startsWith(`..${sep}`) ? undefined : posix.join(DEPS_DIR, inside);
}

/** Programs that may be named in a command: the path in the image, before it the interpreter of a script. */
export function suppliedPrograms(
  supplied: Supplied,
  others: Readonly<Record<string, readonly string[]>>,
): Record<string, readonly string[]> {
  const programs: Record<string, readonly string[]> = {};
  const scripts: { name: string; place: string; interpreter: string }[] = [];
  for (const folder of suppliedFolders(supplied, 'bin').reverse()) {
    for (const name of readdirSync(folder)) {
      const place = attempt(() => placeOf(supplied, join(folder, name)));
      const head = attempt(() => readFileSync(join(folder, name)).subarray(0, 256));
      if (place === undefined || head === undefined) continue;
      if (isElfMagic(head)) programs[name] = [place];
      const interpreter = /^#!\s*\S*?([^\s/]+)(?:[ \t]+([^\s]+))?/.exec(head.toString('latin1'));
      const program = interpreter?.[1] === 'env' ? interpreter[2] : interpreter?.[1];
      if (program !== undefined) scripts.push({ name, place, interpreter: program });
    }
  }
  const known = { ...programs, ...others };
  for (const { name, place, interpreter } of scripts) {
    const found = known[interpreter];
    if (found && !programs[name]) programs[name] = [...found, place];
  }
  return programs;
}

/** Variables that make the image's programs find what was supplied; PATH and library path without the rest. */
export function suppliedEnv({ dir, indices }: Supplied): { path: string[]; libraryPath: string[] } {
  const folders = (name: string): string[] =>
    indices
      .filter((index) => isFolder(join(dir, index, name)))
      .map((index) => posix.join(DEPS_DIR, index, name))
      .reverse();
  return { path: folders('bin'), libraryPath: folders('lib') };
}

/** Puts the folders into the image; symlinks that name them, or the application, by their places here are put right. */
export async function addSupplied(
  tree: RootTree,
  supplied: Supplied,
  moved: Readonly<Record<string, string>>,
): Promise<void> {
  for (const index of supplied.indices) {
    const folder = tree.folder(posix.join(DEPS_DIR, index), 0o755, VCAP);
    await readFolder(join(supplied.dir, index), folder, {
      owner: VCAP,
      skip: (path) => NOT_NEEDED.test(path),
    });
  }
  retarget(tree.folder('/home/vcap'), { ...moved, [supplied.dir]: DEPS_DIR });
}

/** For staging, for compilers, or scripts that are run at staging in place of at start. */
const NOT_NEEDED =
  /^(config\.yml|launch\.yml|env|profile\.d|include|pkgconfig|share\/man)(\/|$)|(^|\/)__pycache__(\/|$)/;

function retarget(folder: FolderEntry, moved: Readonly<Record<string, string>>): void {
  for (const entry of folder.children.values()) {
    if (entry.kind === 'folder') retarget(entry, moved);
    if (entry.kind !== 'symlink') continue;
    const target = entry.target.toString('latin1');
    const from = Object.keys(moved).find((prefix) => target === prefix || target.startsWith(`${prefix}/`));
    if (from !== undefined) entry.target = Buffer.from((moved[from] ?? '') + target.slice(from.length), 'latin1');
  }
}

function isFolder(path: string): boolean {
  return attempt(() => lstatSync(path).isDirectory()) === true;
}

/** A name that leads nowhere is no program. */
function attempt<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (err) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'EISDIR'].some((code) => hasCode(err, code))) return undefined;
    throw err;
  }
}
