import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** An ELF file with the named section and a table of section names. */
export function elfWith(section: string, content: string): Buffer {
  const names = Buffer.from(`\0${section}\0.shstrtab\0`);
  const body = Buffer.from(content);
  const table = 64 + body.length + names.length;
  const elf = Buffer.alloc(table + 3 * 64);
  elf.write('\x7fELF', 'latin1');
  elf.set([2, 1, 1], 4);
  elf.writeBigUInt64LE(BigInt(table), 0x28);
  elf.writeUInt16LE(64, 0x3a);
  elf.writeUInt16LE(3, 0x3c);
  elf.writeUInt16LE(2, 0x3e);
  body.copy(elf, 64);
  names.copy(elf, 64 + body.length);
  const header = (index: number, name: number, offset: number, length: number): void => {
    elf.writeUInt32LE(name, table + index * 64);
    elf.writeBigUInt64LE(BigInt(offset), table + index * 64 + 0x18);
    elf.writeBigUInt64LE(BigInt(length), table + index * 64 + 0x20);
  };
  header(1, 1, 64, body.length);
  header(2, section.length + 2, 64 + body.length, names.length);
  return elf;
}

/** The modules that the Linux guest loads, and what each of them depends on. */
const MODULES: Record<string, string> = {
  'drivers/virtio/virtio.ko': 'virtio_ring',
  'drivers/virtio/virtio_ring.ko': '',
  'drivers/virtio/virtio_pci.ko': 'virtio,virtio_ring',
  'drivers/char/virtio_console.ko': 'virtio',
  'drivers/char/hw_random/virtio-rng.ko': 'virtio',
  'drivers/block/virtio_blk.ko': 'virtio',
  'fs/erofs/erofs.ko': '',
  'drivers/net/virtio_net.ko': 'virtio',
};

/**
 * What an unpacked kernel package looks like, with bytes that boot nothing. `overlay` is built in.
 * `package_version`: as Debian writes it into the kernel.
 */
export async function fakeKernelPackage(dir: string, release: string, package_version: string): Promise<void> {
  const modules = join(dir, 'lib/modules', release);
  await rm(dir, { recursive: true, force: true });
  await mkdir(join(dir, 'boot'), { recursive: true });
  await writeFile(join(dir, 'boot', `vmlinuz-${release}`), fakeVmlinuz(release, package_version));
  for (const [path, depends] of Object.entries(MODULES)) {
    const file = join(modules, 'kernel', path);
    await mkdir(join(file, '..'), { recursive: true });
    await writeFile(file, elfWith('.modinfo', `depends=${depends}\0vermagic=${release} SMP\0`));
  }
  await writeFile(join(modules, 'modules.builtin'), 'kernel/fs/overlayfs/overlay.ko\n');
}

function fakeVmlinuz(release: string, package_version: string): Buffer {
  const image = Buffer.alloc(0x2000);
  image.write('HdrS', 0x202, 'latin1');
  image.writeUInt8(1, 0x1f1);
  image.writeUInt16LE(0x300, 0x20e);
  image.write(`${release} (builder@host) #1 SMP Debian ${package_version} (2026-01-01)\0`, 0x500, 'latin1');
  // A payload of 4 KB in no format that we unpack.
  image.writeUInt32LE(0, 0x248);
  image.writeUInt32LE(0x1000, 0x24c);
  return image;
}
