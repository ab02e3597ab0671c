#!/usr/bin/env node
/**
 * Fills src/ with what this repository builds. Makes every blob that the registries provide the parts of, puts them into blobs/ and their names, sizes and digests
 * into config/blobs.yml. Says which differ from what is noted there: Debian has a newer version then. Needs network
 * once; `bosh create-release` afterwards needs none. What it makes does not depend on the day or the folder.
 * config/sources.yml says what each was made of, and of which recipe (recipe.mjs).
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, delimiter, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parse, stringify } from 'yaml';
import { fetchPackage, PACKAGES } from '../../scripts/buildpack-runtime.mjs';
import { bundle } from '../../scripts/bundle.mjs';
import { unpackKernel } from '../../scripts/guest-init.mjs';
import { installDebianPackages, root, say, widenPath } from '../../scripts/setup.mjs';
import { prepareSources } from './prepare.mjs';
import { layOut, versionsOf } from './programs.mjs';
import { recipe } from './recipe.mjs';

const release = fileURLToPath(new URL('..', import.meta.url));
const LIST = join(release, 'config/blobs.yml');
const SOURCES = join(release, 'config/sources.yml');
const MODULES = '/usr/lib/x86_64-linux-gnu/qemu';
const qemuData = (names) => Object.fromEntries(names.map((name) => [`/usr/share/qemu/${name}`, `share/qemu/${name}`]));
const qemuModules = ['accel-tcg-x86_64.so'];

/** Packages of programs: what a cell calls, what QEMU reads beside its program. */
const PROGRAMS = {
  'unik-qemu': {
    programs: ['qemu-system-x86_64'],
    modules: qemuModules.map((name) => join(MODULES, name)),
    files: {
      ...qemuData([
        'kvmvapic.bin',
        'linuxboot.bin',
        'linuxboot_dma.bin',
        'multiboot.bin',
        'multiboot_dma.bin',
        'pvh.bin',
      ]),
      ...Object.fromEntries(qemuModules.map((name) => [join(MODULES, name), `lib/x86_64-linux-gnu/qemu/${name}`])),
      '/usr/share/seabios': 'share/seabios',
      '/usr/lib/ipxe/qemu/efi-virtio.rom': 'lib/ipxe/qemu/efi-virtio.rom',
      '/usr/lib/ipxe/qemu/efi-e1000.rom': 'lib/ipxe/qemu/efi-e1000.rom',
    },
  },
  'unik-bubblewrap': { programs: ['bwrap'] },
  'unik-image-tools': { programs: ['mkfs.erofs', 'mke2fs'] },
  'unik-host-tools': {
    programs: ['ip', 'nft', 'slirp4netns', 'unshare', 'setpriv', 'nsenter', 'fallocate', 'prlimit', 'choom', 'busybox'],
  },
};

widenPath();
installDebianPackages(['run', 'release']);
const noted = read(LIST);
const notedSources = read(SOURCES).blobs ?? {};
const work = mkdtempSync(join(tmpdir(), 'unik-blobs-'));
const made = {};
const sources = {};
try {
  await bundle('closure', 'executor/images/closure.ts', work);
  const { libraryClosure } = await import(pathToFileURL(join(work, 'closure.mjs')).href);
  for (const [name, { programs, ...rest }] of Object.entries(PROGRAMS)) {
    layOut({ name, into: join(work, name), programs: programs.map(onPath), ...rest, libraryClosure });
    keep(`${name}/${name}.tgz`, { folder: join(work, name) });
  }
  const node = join(work, 'node-from-registry');
  mkdirSync(node);
  execFileSync('tar', [
    '-xzf',
    fetchPackage(PACKAGES.node),
    '-C',
    node,
    '--strip-components=1',
    'package/bin/node',
    'package/LICENSE',
  ]);
  const into = join(work, 'unik-node');
  layOut({
    name: 'unik-node',
    into,
    programs: [join(node, 'bin/node')],
    files: { [join(node, 'LICENSE')]: 'LICENSE' },
    libraryClosure,
  });
  writeFileSync(
    join(into, 'SOURCES'),
    `npm ${PACKAGES.node.name} ${PACKAGES.node.version}\n${readFileSync(join(into, 'SOURCES'), 'utf8')}`,
  );
  keep('unik-node/unik-node.tgz', { folder: into });
  const kernel = unpackKernel(root, say);
  keep('unik-kernels/linux.tgz', {
    ...{ folder: dirname(kernel), members: [basename(kernel)], madeOf: [`linux ${kernelVersion(kernel)}`] },
  });
} finally {
  rmSync(work, { recursive: true, force: true });
}
await prepareSources({ root, release, say });
// Whatever an operator added by hand stays.
writeFileSync(LIST, stringify({ ...noted, ...made }, { sortMapEntries: true }));
const tools = versionsOf(['gzip', 'patchelf', 'tar']).trim().split('\n');
writeFileSync(SOURCES, stringify({ recipe: recipe(), tools, blobs: sources }, { sortMapEntries: true }));

function read(file) {
  return existsSync(file) ? (parse(readFileSync(file, 'utf8')) ?? {}) : {};
}

/** Of Debian's package, as the kernel says it itself (Documentation/arch/x86/boot.rst, kernel_version). */
function kernelVersion(folder) {
  const bytes = readFileSync(join(folder, `boot/vmlinuz-${basename(folder)}`));
  const at = bytes.readUInt16LE(0x20e) + 0x200;
  const text = bytes.toString('latin1', at, bytes.indexOf(0, at));
  const version = / Debian (\S+) /.exec(text)?.[1];
  if (!version) throw new Error(`${folder}: the kernel names no version of Debian's: ${text}`);
  return version;
}

/** One tar file of a folder or of members of it, the same bytes for the same files. */
function keep(blob, { folder, members = readdirSync(folder).sort(), madeOf = linesOf(join(folder, 'SOURCES')) }) {
  const file = join(release, 'blobs', blob);
  mkdirSync(dirname(file), { recursive: true });
  const order = [
    '--sort=name',
    '--mtime=@0',
    '--owner=0',
    '--group=0',
    '--numeric-owner',
    '--format=gnu',
    '--mode=u+rw,go=rX',
  ];
  execFileSync('tar', [...order, '--use-compress-program=gzip -n -6', '-cf', `${file}.new`, '-C', folder, ...members]);
  renameSync(`${file}.new`, file);
  const size = statSync(file).size;
  const sha = `sha256:${createHash('sha256').update(readFileSync(file)).digest('hex')}`;
  const before = noted[blob];
  const kept = before?.sha === sha ? before : { size, sha };
  made[blob] = kept;
  sources[blob] = madeOf;
  const same = JSON.stringify(notedSources[blob]) === JSON.stringify(madeOf);
  const why = same ? 'of the same parts by another recipe' : 'of newer parts';
  say(`${blob}: ${(size / 1e6).toFixed(1)} MB${before && before.sha !== sha ? `, not the one noted: ${why}` : ''}`);
}

function linesOf(file) {
  return readFileSync(file, 'utf8').trim().split('\n');
}

function onPath(name) {
  const found = (process.env.PATH ?? '')
    .split(delimiter)
    .map((dir) => join(dir, name))
    .find((file) => existsSync(file));
  if (!found) throw new Error(`${name} is not on PATH, though its Debian package was asked for`);
  return found;
}
