/**
 * Most builds of Node.js are for a fixed address, which `unikraft` cannot load. Debian's is not, but cannot be installed
 * beside another: it is put over /usr for one command and what that starts, and nothing of the host changes.
 */
import { execa } from 'execa';
import { lstat, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readElf } from '../../executor/images/elf.js';

/**
 * Words to put before a command, so that it finds a movable `nodejs` on its PATH. None where the host has one. `dir`
 * takes the packages. Throws, saying why, where it cannot be had: not root, no packages, no overlay file system.
 */
export async function withMovableNode(dir: string): Promise<string[]> {
  const found = await execa('which', ['-a', 'node', 'nodejs'], { reject: false });
  if (found.stdout.split('\n').some((path) => path !== '' && readElf(path)?.positionIndependent === true)) return [];
  if (process.getuid?.() !== 0) throw new Error('no movable Node.js, and only root can put Debian’s over /usr');
  const { stdout: versions } = await execa('apt-cache', ['madison', 'nodejs']);
  const version = versions
    .split('\n')
    .map((line) => line.split('|').map((part) => part.trim()))
    .find(([, , from = '']) => from.includes('debian.org'))?.[1];
  if (version === undefined) throw new Error('no movable Node.js, and Debian’s packages are out of reach');
  const archives = join(dir, 'archives');
  await mkdir(join(archives, 'partial'), { recursive: true });
  // Only fetched: apt would otherwise put it in the place of the host's own.
  const only = ['--download-only', '--allow-downgrades', '--no-install-recommends', '-y', '-qq'];
  const where = ['-o', `Dir::Cache::archives=${archives}`, '-o', 'APT::Sandbox::User=root'];
  await execa('apt-get', ['install', ...only, ...where, `nodejs=${version}`]);
  const over = join(dir, 'over');
  for (const name of await readdir(archives)) {
    if (name.endsWith('.deb')) await execa('dpkg-deb', ['-x', join(archives, name), over]);
  }
  const bin = join(over, 'usr/bin');
  const name = (await lstat(join(bin, 'nodejs'))).isSymbolicLink() ? 'node' : 'nodejs';
  await rename(join(bin, name), join(bin, 'nodejs'));
  await rm(join(bin, 'node'), { force: true });
  const mount = `mount -t overlay -o lowerdir=${over}/usr:/usr overlay /usr && exec "$0" "$@"`;
  const prefix = ['unshare', '--mount', 'sh', '-c', mount];
  await execa(prefix[0] ?? '', [...prefix.slice(1), 'nodejs', '--version']);
  return prefix;
}
