/**
 * The two parts of the Linux guest that setup makes on this machine: our init, compiled, and the distribution's
 * kernel package, unpacked and not installed. Node built-ins only; an ordinary user can run both.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SOURCES = 'executor/guests/linux/init';
const FLAGS = ['-std=gnu11', '-D_GNU_SOURCE', '-Os', '-Wall', '-Wextra', '-Werror', '-static', '-s'];
/** The metapackage that always depends on the newest kernel made for virtual machines. */
const KERNEL_PACKAGE = { x64: 'linux-image-cloud-amd64', arm64: 'linux-image-cloud-arm64' };
/** The one with drivers for machines of any kind. */
export const GENERIC = {
  store: '.assets/kernel-generic',
  packages: { x64: 'linux-image-amd64', arm64: 'linux-image-arm64' },
};
const CLOUD = { store: '.assets/kernel', packages: KERNEL_PACKAGE };
/** What makes the parts for processors that are not this machine's: Debian's name of it, the compiler, where they lie. */
const FOREIGN = {
  arm64: { compiler: 'aarch64-linux-gnu-gcc', init: '.assets/guest/init-arm64', store: '.assets/kernel-arm64' },
};
/** Where the modules are that the guest may need, in any kernel since 5.10; the rest of the package is not kept. */
const MODULE_PATHS = [
  'block',
  'crypto',
  'drivers/ata',
  'drivers/block/virtio_blk.ko',
  'drivers/cdrom',
  'drivers/char/hw_random',
  'drivers/char/virtio_console.ko',
  'drivers/message/fusion',
  ...['amazon', 'intel/e1000', 'intel/e1000e'].map((name) => `drivers/net/ethernet/${name}`),
  'drivers/net/net_failover.ko',
  'drivers/net/virtio_net.ko',
  'drivers/net/vmxnet3',
  ...['nvme/common', 'nvme/host', 'pps', 'ptp'].map((name) => `drivers/${name}`),
  ...['scsi_mod', 'scsi_common', 'scsi_transport_spi', 'sd_mod', 'sr_mod', 'virtio_scsi', 'vmw_pvscsi'].map(
    (name) => `drivers/scsi/${name}.ko`,
  ),
  'drivers/virtio',
  ...['erofs', 'ext4', 'fat', 'isofs', 'jbd2', 'mbcache.ko', 'netfs', 'nls', 'overlayfs'].map((name) => `fs/${name}`),
  'lib',
  'net/core',
];

/** What arm64 boards, and QEMU's, have beyond that. */
const BOARD_PATHS = [
  ...['drivers/block/loop.ko', 'drivers/net/mii.ko', 'drivers/net/mdio', 'drivers/net/phy', 'drivers/net/pcs'],
  ...['broadcom', 'cadence'].map((name) => `drivers/net/ethernet/${name}`),
  ...['lan78xx', 'smsc95xx', 'usbnet', 'asix', 'ax88179_178a', 'r8152', 'cdc_ether'].map(
    (name) => `drivers/net/usb/${name}.ko`,
  ),
  ...['dwc2', 'host', 'core', 'common', 'gadget/udc', 'phy', 'roles'].map((name) => `drivers/usb/${name}`),
  ...['drivers/clk', 'drivers/firmware', 'drivers/pci/controller', 'drivers/reset', 'drivers/char/hw_random'],
];

/** Tells a folder that holds all of these. */
const partsOf = (paths) => createHash('sha256').update(paths.join('\n')).digest('hex');
export const PARTS = partsOf(MODULE_PATHS);

/**
 * Compiles `.assets/guest/init` when its sources or the compiler changed. Gives its path.
 * @param {string} root the repository
 * @param {(line: string) => void} log
 */
export function buildInit(root, log, { compiler = findCompiler(), init = '.assets/guest/init' } = {}) {
  const sources = readdirSync(join(root, SOURCES)).filter((name) => /\.[ch]$/.test(name));
  const hash = createHash('sha256').update(`${compiler} ${FLAGS.join(' ')}\n`);
  for (const name of sources.sort()) hash.update(`${name}\n`).update(readFileSync(join(root, SOURCES, name)));
  const wanted = hash.digest('hex');
  const output = join(root, init);
  const stamp = `${output}.sha256`;
  if (existsSync(output) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return output;

  log(`compiling the guest's init with ${compiler}`);
  mkdirSync(dirname(output), { recursive: true });
  const files = sources.filter((name) => name.endsWith('.c')).map((name) => join(root, SOURCES, name));
  const temp = `${output}.${process.pid}.tmp`;
  try {
    execFileSync(compiler, [...FLAGS, ...files, '-o', temp], { stdio: ['ignore', 'inherit', 'inherit'] });
    chmodSync(temp, 0o755);
    renameSync(temp, output);
  } finally {
    rmSync(temp, { force: true });
  }
  writeFileSync(stamp, wanted);
  return output;
}

/** musl makes a tenth of the size of what the usual C library makes; both work. */
function findCompiler() {
  for (const name of ['musl-gcc', 'gcc']) {
    if ((process.env.PATH ?? '').split(':').some((folder) => existsSync(join(folder, name)))) return name;
  }
  throw new Error('no C compiler: install musl-tools or gcc');
}

/**
 * Unpacks the newest kernel package for virtual machines to `.assets/kernel/<release>/`. Gives that folder; one that
 * is there already, with all the parts we keep now, is used without asking the network.
 * @param {string} root the repository
 * @param {(line: string) => void} log
 */
export function unpackKernel(root, log, { store: name, packages, arch } = CLOUD) {
  const store = join(root, name);
  const paths = [...MODULE_PATHS, ...(arch ? BOARD_PATHS : [])];
  const present = existsSync(store) ? readdirSync(store).filter((name) => !name.startsWith('.')) : [];
  const newest = present.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1);
  const kept = newest && join(store, newest, 'parts');
  if (kept && existsSync(kept) && readFileSync(kept, 'utf8') === partsOf(paths)) return join(store, newest);

  mkdirSync(store, { recursive: true });
  // apt's own user must be able to write there when we are root.
  const work = mkdtempSync(join(tmpdir(), 'unik-kernel-'));
  try {
    chmodSync(work, 0o777);
    const apt = arch === undefined ? [] : foreignApt(arch, work, log);
    const name = kernelPackage(packages[arch ?? process.arch], apt);
    log(`downloading ${name}`);
    quietly('apt-get', [...apt, 'download', '-q', name], work);
    const [archive] = readdirSync(work).filter((file) => file.endsWith('.deb'));
    if (!archive) throw new Error(`apt-get download ${name} gave no package`);
    log(`unpacking ${archive}`);
    quietly('dpkg-deb', ['-x', join(work, archive), join(work, 'unpacked')], work);
    return keepParts(join(work, 'unpacked'), store, paths);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/**
 * The parts for another processor: our init by its cross compiler, and the kernel with drivers of any board. Gives both.
 * @param {string} root the repository
 * @param {(line: string) => void} log
 * @param {'arm64'} arch
 */
export function foreignParts(root, log, arch) {
  const { compiler, init, store } = FOREIGN[arch];
  return {
    init: buildInit(root, log, { compiler, init }),
    kernel: unpackKernel(root, log, { store, packages: GENERIC.packages, arch }),
  };
}

/** apt's options for another processor's packages, with lists of their own: this machine's settings stay as they are. */
export function foreignApt(arch, work, log) {
  const lists = join(work, 'lists');
  for (const dir of ['partial', 'cache/archives/partial']) mkdirSync(join(lists, dir), { recursive: true });
  for (const dir of ['', 'partial', 'cache', 'cache/archives', 'cache/archives/partial'])
    chmodSync(join(lists, dir), 0o777);
  const set = [`Dir::State::lists=${lists}`, `Dir::Cache=${join(lists, 'cache')}`, 'Dir::State::status=/dev/null'];
  const options = [...set, `APT::Architecture=${arch}`, `APT::Architectures::=${arch}`].flatMap((is) => ['-o', is]);
  log(`asking for the packages of ${arch}`);
  quietly('apt-get', [...options, 'update', '-qq'], work);
  return options;
}

function kernelPackage(meta, apt) {
  if (!meta) throw new Error(`no kernel package is known for ${process.arch}`);
  const depends = quietly('apt-cache', [...apt, 'depends', meta], '/');
  const found = /Depends: (linux-image-\d\S+)/.exec(depends)?.[1];
  if (!found) throw new Error(`${meta} is not known to apt: run \`apt-get update\``);
  return found;
}

/** Copies what the catalogue reads into the store, whole or not at all. */
function keepParts(unpacked, store, paths) {
  const [release] = readdirSync(join(unpacked, 'lib/modules'));
  if (!release) throw new Error('the kernel package holds no modules');
  const temp = join(store, `.${release}.${process.pid}.tmp`);
  const copy = (path) => {
    if (existsSync(join(unpacked, path))) cpSync(join(unpacked, path), join(temp, path), { recursive: true });
  };
  copy(`boot/vmlinuz-${release}`);
  copy(`lib/modules/${release}/modules.builtin`);
  for (const path of paths) copy(`lib/modules/${release}/kernel/${path}`);
  writeFileSync(join(temp, 'parts'), partsOf(paths));
  // One with other parts than we keep now.
  rmSync(join(store, release), { recursive: true, force: true });
  renameSync(temp, join(store, release));
  return join(store, release);
}

function quietly(command, args, cwd) {
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = join(dirname(fileURLToPath(import.meta.url)), '..');
  if (process.argv[2] === 'arm64') {
    const { init, kernel } = foreignParts(root, console.log, 'arm64');
    console.log(`${init}\n${kernel}`);
  } else {
    console.log(buildInit(root, console.log));
    console.log(unpackKernel(root, console.log));
  }
}
