/**
 * A package of programs that needs nothing of the stemcell: the programs as Debian built them, every library they load,
 * and the loader, all of one Debian release. A stemcell's own C library may be older or newer.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

const LOADER = 'ld-linux-x86-64.so.2';

/**
 * Lays out `into/{bin,lib,...}` for the BOSH package `name`. `programs`: paths on this host. `files`: further files or
 * folders, path on this host to path in the package; `modules`: those of them that load libraries too. Programs ask for the loader by the place BOSH gives the package.
 */
export function layOut({ name, into, programs, files = {}, modules = [], libraryClosure }) {
  const bin = join(into, 'bin');
  const lib = join(into, 'lib');
  for (const dir of [bin, lib]) mkdirSync(dir, { recursive: true });
  for (const program of programs) place(program, join(bin, basename(program)));
  const dynamic = programs.filter(isDynamic);
  const libraries = dynamic.length ? libraryClosure([...dynamic, ...modules], { arch: 'x86_64' }) : [];
  for (const library of libraries) place(library, join(lib, basename(library)));
  for (const program of dynamic) {
    const file = join(bin, basename(program));
    // The older tag, RPATH, also holds for what a library loads; RUNPATH would not.
    const home = `/var/vcap/packages/${name}/lib`;
    execFileSync('patchelf', ['--set-interpreter', join(home, LOADER), '--force-rpath', '--set-rpath', home, file]);
  }
  for (const [from, to] of Object.entries(files)) {
    mkdirSync(dirname(join(into, to)), { recursive: true });
    cpSync(from, join(into, to), { recursive: true, dereference: true });
  }
  writeFileSync(join(into, 'SOURCES'), sourcesOf([...programs, ...libraries, ...Object.keys(files)]));
}

function place(from, to) {
  copyFileSync(realpathSync(from), to);
  chmodSync(to, 0o755);
}

/** A program without a loader is complete as it is. */
function isDynamic(program) {
  try {
    return execFileSync('patchelf', ['--print-interpreter', realpathSync(program)], { stdio: 'pipe' }).length > 0;
  } catch {
    return false;
  }
}

/** One line for each Debian package that a file came from: name, version. What is of no package is left out. */
function sourcesOf(paths) {
  const asked = [...new Set(paths.flatMap((path) => [path, realpathSync(path)]).flatMap(spellings))];
  // It fails when one of them is of no package, and tells of the others all the same.
  const { stdout, error } = spawnSync('dpkg-query', ['-S', ...asked], { encoding: 'utf8', maxBuffer: 64 << 20 });
  if (error) throw error;
  const lines = stdout.split('\n').filter((line) => line.includes(': /') && !line.startsWith('diversion by '));
  return versionsOf(lines.flatMap((line) => line.slice(0, line.indexOf(': /')).split(', ')));
}

/** `NAME VERSION` of each Debian package, sorted, one to a line. */
export function versionsOf(packages) {
  if (packages.length === 0) return '';
  const named = [...new Set(packages)];
  const text = execFileSync('dpkg-query', ['-W', '-f', '${Package} ${Version}\n', ...named], { encoding: 'utf8' });
  return [...new Set(text.trim().split('\n'))].sort().join('\n') + '\n';
}

/** dpkg knows files by the name they were packed with, which may lack the /usr before /bin and /lib. */
function spellings(path) {
  return [path, path.replace(/^\/usr(?=\/(bin|sbin|lib))/, '')];
}
