#!/usr/bin/env node
/**
 * Fills src/ with what this repository builds. Makes every blob that the registries provide the parts of, puts them into blobs/ and their names, sizes and digests
 * into config/blobs.yml. Says which differ from what is noted there: Debian has a newer version then. Needs network
 * once; `bosh create-release` afterwards needs none. What it makes does not depend on the day or the folder.
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
import { layOut } from './programs.mjs';

const release = fileURLToPath(new URL('..', import.meta.url));
const LIST = join(release, 'config/blobs.yml');
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
const noted = existsSync(LIST) ? (parse(readFileSync(LIST, 'utf8')) ?? {}) : {};
const work = mkdtempSync(join(tmpdir(), 'unik-blobs-'));
const made = {};
try {
  await bundle('closure', 'executor/images/closure.ts', work);
  const { libraryClosure } = await import(pathToFileURL(join(work, 'closure.mjs')).href);
  for (const [name, { programs, ...rest }] of Object.entries(PROGRAMS)) {
    layOut({ name, into: join(work, name), programs: programs.map(onPath), ...rest, libraryClosure });
    keep(`${name}/${name}.tgz`, join(work, name));
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
  keep('unik-node/unik-node.tgz', into);
  const kernel = unpackKernel(root, say);
  keep('unik-kernels/linux.tgz', dirname(kernel), basename(kernel));
} finally {
  rmSync(work, { recursive: true, force: true });
}
await prepareSources({ root, release, say });
// Whatever an operator added by hand stays.
writeFileSync(LIST, stringify({ ...noted, ...made }, { sortMapEntries: true }));

/** One tar file of a folder, the same bytes for the same files. */
function keep(blob, folder, ...members) {
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
  execFileSync('tar', [
    ...order,
    '--use-compress-program=gzip -n -6',
    '-cf',
    `${file}.new`,
    '-C',
    folder,
    ...(members.length ? members : readdirSync(folder).sort()),
  ]);
  renameSync(`${file}.new`, file);
  const size = statSync(file).size;
  const sha = `sha256:${createHash('sha256').update(readFileSync(file)).digest('hex')}`;
  const before = noted[blob];
  const kept = before?.sha === sha ? before : { size, sha };
  made[blob] = kept;
  say(
    `${blob}: ${(size / 1e6).toFixed(1)} MB${before && before.sha !== sha ? ', differs from the one noted: a newer version of its parts' : ''}`,
  );
}

function onPath(name) {
  const found = (process.env.PATH ?? '')
    .split(delimiter)
    .map((dir) => join(dir, name))
    .find((file) => existsSync(file));
  if (!found) throw new Error(`${name} is not on PATH, though its Debian package was asked for`);
  return found;
}
