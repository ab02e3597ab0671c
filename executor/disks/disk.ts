import { createHash } from 'node:crypto';
import { open, readFile, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { toUnikError, UnikError } from '../../core/errors.js';
import { run } from '../../core/process.js';
import { fatWithOneFile } from './fat.js';
import { diskSectors, FRONT_SECTORS, partitionTable, SECTOR, type Partition } from './gpt.js';
import { loaderFor, LOADER_SECTOR, mbrCode } from './loader.js';
import { unify } from './uki.js';

/** What a disk is made of. The same order gives the same bytes. */
export interface DiskOrder {
  /** A kernel as packaged, its initramfs, and the image's root: paths. */
  kernel: string;
  initrd: string;
  root: string;
  cmdline: string;
  /** What the application may write. */
  scratch_mb: number;
  /** systemd's EFI stub; absent: the disk boots by BIOS alone. */
  stub?: string;
  /** Names what it is made of; decides the ids in it. */
  seed: string;
}

export const STUB = '/usr/lib/systemd/boot/efi/linuxx64.efi.stub';

const MB = 2 ** 20;
const ALIGN_SECTORS = MB / SECTOR;

/**
 * Writes a sparse raw disk that boots by BIOS and, with a stub, by UEFI: a partition with our loader, one with kernel
 * and initramfs (a unified kernel image in a FAT, which the loader reads by sector), the image's root, and a scratch
 * file system. No root, no loop device. Whole or not at all.
 */
export async function writeDisk(order: DiskOrder, target: string, signal?: AbortSignal): Promise<void> {
  const temp = `${target}.${process.pid}.tmp`;
  try {
    await compose(order, temp, signal);
    await rename(temp, target);
  } catch (err) {
    await rm(temp, { force: true });
    throw toUnikError(err, 'machine_failed');
  }
}

async function compose(order: DiskOrder, path: string, signal?: AbortSignal): Promise<void> {
  const sizeOf = async (file: string): Promise<number> => {
    const found = await stat(file).catch((err: unknown) => {
      throw new UnikError('image_truncated', `${file} is missing`, { cause: err });
    });
    return found.size;
  };
  const parts = { kernel: await sizeOf(order.kernel), initrd: await sizeOf(order.initrd) };
  const boot = await bootFile(order, parts);
  const rootBytes = await sizeOf(order.root);
  const layout = lay([
    ['unik-loader', 'bios', (ALIGN_SECTORS - FRONT_SECTORS) * SECTOR],
    ['unik-boot', order.stub === undefined ? 'linux' : 'efi', boot.fat.bytes],
    ['unik-root', 'linux', rootBytes],
    ['unik-scratch', 'linux', order.scratch_mb * MB],
  ]);
  const [, bootAt = 0, rootAt = 0, scratchAt = 0] = layout.partitions.map(({ first }) => first * SECTOR);
  const file = await open(path, 'wx', 0o600);
  try {
    await file.truncate(layout.sectors * SECTOR);
    const contentAt = bootAt + boot.fat.contentAt;
    const table = { sectors: layout.sectors, bootCode: mbrCode(), seed: order.seed };
    const { front, back, backAt } = partitionTable(layout.partitions, table);
    await put(file, front, 0);
    await put(file, back, backAt);
    await put(file, boot.fat.head, bootAt);
    await put(file, boot.head, contentAt);
    await put(file, Buffer.from(order.cmdline), contentAt + boot.at('.cmdline'));
    await copyInto(file, order.kernel, contentAt + boot.at('.linux'), signal);
    await copyInto(file, order.initrd, contentAt + boot.at('.initrd'), signal);
    await copyInto(file, order.root, rootAt, signal);
    const loader = loaderFor({
      kernel: await firstBytes(order.kernel),
      kernel_bytes: parts.kernel,
      initrd_bytes: parts.initrd,
      kernel_sector: (contentAt + boot.at('.linux')) / SECTOR,
      initrd_sector: (contentAt + boot.at('.initrd')) / SECTOR,
      cmdline: order.cmdline,
    });
    await put(file, loader, LOADER_SECTOR * SECTOR);
  } finally {
    await file.close();
  }
  await makeScratch(path, scratchAt, order);
}

interface BootFile {
  fat: ReturnType<typeof fatWithOneFile>;
  head: Buffer;
  at(section: string): number;
}

/** The one file of the boot partition: a program for UEFI, or just a place for the same parts. */
async function bootFile(order: DiskOrder, parts: { kernel: number; initrd: number }): Promise<BootFile> {
  const added = [
    { name: '.cmdline', bytes: Buffer.byteLength(order.cmdline) },
    { name: '.linux', bytes: parts.kernel },
    { name: '.initrd', bytes: parts.initrd },
  ];
  const { head, sections, bytes } = order.stub === undefined ? plain(added) : unify(await readStub(order.stub), added);
  const at = (name: string): number => sections.find((section) => section.name === name)?.at ?? 0;
  return { fat: fatWithOneFile('EFI/BOOT/BOOTX64.EFI', bytes, 'UNIK'), head, at };
}

function plain(added: readonly { name: string; bytes: number }[]): ReturnType<typeof unify> {
  let at = 0;
  const sections = added.map(({ name, bytes }) => {
    const section = { name, bytes, at };
    at += Math.ceil(bytes / SECTOR) * SECTOR;
    return section;
  });
  return { head: Buffer.alloc(0), sections, bytes: at };
}

async function readStub(path: string): Promise<Buffer> {
  return readFile(path).catch((err: unknown) => {
    const fix = "install Debian's package systemd-boot-efi";
    throw new UnikError('provider_unavailable', `a disk that boots by UEFI needs ${path}: ${fix}`, { cause: err });
  });
}

function lay(wanted: readonly (readonly [name: string, type: Partition['type'], bytes: number])[]): {
  partitions: Partition[];
  sectors: number;
} {
  let next = FRONT_SECTORS;
  const partitions = wanted.map(([name, type, bytes]): Partition => {
    const first = next;
    const last = first + Math.max(1, Math.ceil(bytes / SECTOR)) - 1;
    next = Math.ceil((last + 1) / ALIGN_SECTORS) * ALIGN_SECTORS;
    return { name, type, first, last };
  });
  // A whole number of megabytes, as clouds and VMDK's flat extents like it.
  const sectors = Math.ceil(diskSectors(next - 1) / ALIGN_SECTORS) * ALIGN_SECTORS;
  return { partitions, sectors };
}

async function put(file: FileHandle, bytes: Buffer, at: number): Promise<void> {
  if (bytes.length > 0) await file.write(bytes, 0, bytes.length, at);
}

async function firstBytes(path: string): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4096), 0, 4096, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** Zeros are left out. */
async function copyInto(target: FileHandle, path: string, at: number, signal?: AbortSignal): Promise<void> {
  const source = await open(path, 'r');
  try {
    const chunk = Buffer.alloc(MB);
    for (let from = 0; ;) {
      signal?.throwIfAborted();
      const { bytesRead } = await source.read(chunk, 0, chunk.length, from);
      if (bytesRead === 0) return;
      const bytes = chunk.subarray(0, bytesRead);
      if (!isZero(bytes)) await target.write(bytes, 0, bytesRead, at + from);
      from += bytesRead;
    }
  } finally {
    await source.close();
  }
}

const ZEROS = Buffer.alloc(MB);
/** At most one megabyte. */
export function isZero(bytes: Uint8Array): boolean {
  return ZEROS.compare(bytes, 0, bytes.length, 0, bytes.length) === 0;
}

/** An empty ext4 in its partition; the same bytes each time. */
async function makeScratch(path: string, at: number, order: DiskOrder): Promise<void> {
  const hex = createHash('sha256').update(`${order.seed} scratch`).digest('hex');
  const uuid = [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `a${hex.slice(17, 20)}`, hex.slice(20, 32)];
  const how = ['-O', '^has_journal,^resize_inode', '-m', '0', '-U', uuid.join('-')];
  const lazy = `lazy_itable_init=1,nodiscard,hash_seed=${uuid.join('-')},offset=${at}`;
  await run('mke2fs', ['-q', '-F', '-t', 'ext4', ...how, '-E', lazy, path, `${order.scratch_mb}M`], {
    code: 'machine_failed',
    env: { ...process.env, E2FSPROGS_FAKE_TIME: '1577836800' },
  });
}
