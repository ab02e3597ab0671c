import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { hasCode, UnikError } from '../../core/errors.js';
import type { Arch } from '../model.js';
import {
  ARM64_MODULES,
  BOARD_MODULES,
  DISK_MODULES,
  loadOrder,
  moduleInfo,
  moduleName,
  WANTED_MODULES,
} from '../guests/linux/modules.js';

/** What a catalogue entry is made from: the parts we use of a distribution's kernel package. */
export interface LinuxSource {
  /** The package's version where the kernel names it, else its release. */
  version: string;
  arch: Arch;
  /** The kernel as packaged. */
  image: Buffer;
  /** In the order they are to be loaded: on our own QEMU, and on machines that may be anything. */
  modules: Module[];
  diskModules: Module[];
}

export interface Module {
  name: string;
  data: Buffer;
}

/**
 * Reads an unpacked kernel package: `boot/vmlinuz-RELEASE`, and `lib/modules/RELEASE` either at the top or below
 * `usr`. Throws kernel_invalid with what is wrong.
 */
export async function readLinuxSource(dir: string): Promise<LinuxSource> {
  const path = await findKernel(dir);
  const image = await readFile(path);
  const arch = isArm64(image) ? 'aarch64' : 'x86_64';
  const banner = arch === 'aarch64' ? arm64BannerOf(image, path) : bannerOf(image, path);
  const release = banner.split(' ')[0] ?? '';
  const version = /\bDebian (\S+)/.exec(banner)?.[1] ?? release;
  const folder = await findModules(dir, release);
  const [here, elsewhere] = arch === 'aarch64' ? [ARM64_MODULES, BOARD_MODULES] : [WANTED_MODULES, DISK_MODULES];
  const modules = await readModules(folder, release, { wanted: here });
  const diskModules = await readModules(folder, release, { wanted: elsewhere, optional: true });
  return { version, arch, image, modules, diskModules };
}

async function findKernel(dir: string): Promise<string> {
  const found = (await namesIn(join(dir, 'boot'))).filter((name) => name.startsWith('vmlinuz-'));
  if (found.length === 1 && found[0] !== undefined) return join(dir, 'boot', found[0]);
  throw invalid(
    found.length === 0
      ? `${dir} has no boot/vmlinuz-* file`
      : `${dir}/boot has several kernels: ${found.sort().join(', ')}`,
  );
}

/** Release, builder and date: the text that the boot header of an x86 kernel points to. */
function bannerOf(image: Buffer, path: string): string {
  // Offsets: "The Linux/x86 Boot Protocol" in the kernel's documentation.
  if (image.length < 0x1000 || image.toString('latin1', 0x202, 0x206) !== 'HdrS') {
    throw invalid(`${path} is no Linux kernel for x86 or arm64`);
  }
  const setupBytes = (image.readUInt8(0x1f1) + 1) * 512;
  const payloadEnd = setupBytes + image.readUInt32LE(0x248) + image.readUInt32LE(0x24c);
  if (image.length < payloadEnd) throw invalid(`${path} is cut off: ${image.length} bytes of at least ${payloadEnd}`);
  const at = image.readUInt16LE(0x20e) + 0x200;
  return image.toString('latin1', at, image.indexOf(0, at));
}

/** Offsets: "Booting AArch64 Linux" in the kernel's documentation. */
function isArm64(image: Buffer): boolean {
  return image.length >= 0x1000 && image.toString('latin1', 0x38, 0x3c) === 'ARM\x64';
}

/** What it will say first, without its first two words: the image is not packed. */
function arm64BannerOf(image: Buffer, path: string): string {
  const size = Number(image.readBigUInt64LE(0x10));
  // Its size counts memory that is not in the file; less than half of it there cannot be.
  if (image.length < size / 2) throw invalid(`${path} is cut off: ${image.length} bytes of about ${size}`);
  const words = 'Linux version ';
  for (let at = image.indexOf(words); at >= 0; at = image.indexOf(words, at + 1)) {
    const text = image.toString('latin1', at + words.length, image.indexOf(0, at));
    // A format string stands there as well.
    if (/^\d/.test(text)) return text;
  }
  throw invalid(`${path} does not say its version`);
}

/** All that is wanted and what that needs; of what is optional, those that the kernel has. */
async function readModules(
  folder: string,
  release: string,
  { wanted: names, optional = false }: { wanted: readonly string[]; optional?: boolean },
): Promise<Module[]> {
  const files = (await readdir(folder, { recursive: true })).filter((name) => /\.ko(\.[a-z0-9]+)?$/.test(name));
  const byName = new Map(files.map((file) => [moduleName(file), join(folder, file)]));
  const builtin = new Set((await textOf(join(folder, 'modules.builtin'))).split('\n').map(moduleName));
  const loaded = new Map<string, Buffer>();
  // `loadOrder` is pure and synchronous, so what it may ask for is read before it runs.
  const wanted = optional ? names.filter((name) => byName.has(name)) : names;
  const pending: string[] = [...wanted];
  const depends = new Map<string, string[]>();
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (builtin.has(name) || depends.has(name)) continue;
    const file = byName.get(name);
    if (file === undefined) throw invalid(`${folder} has no module ${name}, and the kernel has it not built in`);
    const data = await readFile(file);
    const needs = dependenciesOf(data, file, release);
    loaded.set(name, data);
    depends.set(name, needs);
    pending.push(...needs);
  }
  const order = loadOrder(wanted, (name) => depends.get(name));
  return order.map((name) => ({ name: `${name}.ko`, data: loaded.get(name) ?? Buffer.alloc(0) }));
}

function dependenciesOf(data: Buffer, file: string, release: string): string[] {
  const info = moduleInfo(data);
  if (!info) throw invalid(`${file} is no uncompressed kernel module`);
  const builtFor = info.get('vermagic')?.split(' ')[0];
  if (builtFor !== release) throw invalid(`${basename(file)} is built for ${builtFor ?? 'nothing'}, not ${release}`);
  return (info.get('depends') ?? '').split(',').filter(Boolean).map(moduleName);
}

async function findModules(dir: string, release: string): Promise<string> {
  for (const parent of ['lib/modules', 'usr/lib/modules']) {
    if ((await namesIn(join(dir, parent))).includes(release)) return join(dir, parent, release);
  }
  throw invalid(`${dir} has no lib/modules/${release}, which this kernel needs`);
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (err) {
    if (hasCode(err, 'ENOENT') || hasCode(err, 'ENOTDIR')) return [];
    throw err;
  }
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (err) {
    if (hasCode(err, 'ENOENT')) return '';
    throw err;
  }
}

function invalid(message: string): UnikError {
  return new UnikError('kernel_invalid', message);
}
