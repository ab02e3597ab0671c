/** Which kernel modules the Linux guest needs, and the order in which they can be loaded. */

/**
 * In the order their drivers should come up: the ports first, because the host waits for them, then random numbers,
 * for which a machine without them would make its application wait a second.
 */
export const WANTED_MODULES = [
  'virtio_pci',
  'virtio_console',
  'virtio_rng',
  'virtio_blk',
  'erofs',
  'overlay',
  'virtio_net',
] as const;

/** The same for arm64, whose kernels have ext4, and the checksum that erofs wants and does not name, as modules. */
export const ARM64_MODULES = ['crc32c_generic', ...WANTED_MODULES, 'ext4'] as const;

/**
 * What a machine that boots from a disk may meet on other people's hardware, those the kernel has: disk controllers of
 * EC2 (NVMe), vSphere (PVSCSI, LSI), VirtualBox (IDE, AHCI) and OpenStack (virtio), their network devices, and the file
 * systems of a config drive.
 */
export const DISK_MODULES = [
  ...['virtio_pci', 'virtio_rng', 'virtio_blk', 'virtio_scsi'],
  ...['nvme', 'ata_piix', 'ahci', 'vmw_pvscsi', 'mptspi', 'sd_mod', 'sr_mod'],
  // The scratch disk's file system and its checksum: parts of the cloud kernel, modules of the generic one.
  ...['crc32c_generic', 'ext4', 'erofs', 'overlay', 'isofs', 'vfat', 'nls_cp437', 'nls_ascii'],
  ...['virtio_net', 'ena', 'vmxnet3', 'e1000', 'e1000e'],
] as const;

/**
 * What an arm64 board may have, those the kernel has: network devices of QEMU's and of the Raspberry Pi (3: by USB; 4; 5),
 * what these need without naming it, and a loop for the root that lies in memory.
 */
export const BOARD_MODULES = [
  ...['virtio_pci', 'virtio_mmio', 'virtio_rng', 'bcm2835_rng', 'iproc_rng200', 'loop', 'crc32c_generic'],
  ...['erofs', 'overlay'],
  ...['virtio_net', 'e1000'],
  ...['raspberrypi_hwmon', 'clk_raspberrypi', 'reset_raspberrypi', 'pcie_brcmstb', 'dwc2', 'xhci_pci'],
  ...['broadcom', 'bcm_phy_lib', 'microchip', 'smsc', 'mdio_bcm_unimac', 'genet', 'macb', 'smsc95xx', 'lan78xx'],
] as const;

/**
 * `wanted` and all they depend on, each after its own dependencies. `depends` gives the direct dependencies of a
 * module, or undefined when the kernel has it built in; it throws for a module that is nowhere.
 */
export function loadOrder(
  wanted: readonly string[],
  depends: (name: string) => readonly string[] | undefined,
): string[] {
  const order: string[] = [];
  const seen = new Set<string>();
  const visit = (name: string): void => {
    if (seen.has(name)) return;
    seen.add(name);
    const direct = depends(name);
    if (!direct) return;
    direct.forEach(visit);
    order.push(name);
  };
  wanted.forEach(visit);
  return order;
}

/** `virtio-rng.ko.xz` and `virtio_rng` are the same module. */
export function moduleName(file: string): string {
  const base = file.slice(file.lastIndexOf('/') + 1);
  return base.replace(/\.ko(\.[a-z0-9]+)?$/, '').replaceAll('-', '_');
}

/** The `key=value` facts in a module's `.modinfo` section; of repeated keys the last. Undefined: no such section. */
export function moduleInfo(elf: Uint8Array): Map<string, string> | undefined {
  const section = elfSection(Buffer.from(elf.buffer, elf.byteOffset, elf.byteLength), '.modinfo');
  if (!section) return undefined;
  const pairs = section.toString('latin1').split('\0').filter(Boolean);
  return new Map(pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
}

/** The bytes of a named section of a 64-bit little-endian ELF file. */
function elfSection(elf: Buffer, wanted: string): Buffer | undefined {
  if (elf.length < 64 || elf.readUInt32BE(0) !== 0x7f454c46 || elf[4] !== 2 || elf[5] !== 1) return undefined;
  const table = Number(elf.readBigUInt64LE(0x28));
  const size = elf.readUInt16LE(0x3a);
  const count = elf.readUInt16LE(0x3c);
  const header = (index: number): Section => {
    const at = table + index * size;
    const offset = Number(elf.readBigUInt64LE(at + 0x18));
    return { name: elf.readUInt32LE(at), bytes: elf.subarray(offset, offset + Number(elf.readBigUInt64LE(at + 0x20))) };
  };
  const namesAt = elf.readUInt16LE(0x3e);
  if (size < 0x40 || table + count * size > elf.length || namesAt >= count) return undefined;
  const names = header(namesAt).bytes;
  for (let index = 0; index < count; index++) {
    const { name, bytes } = header(index);
    if (names.subarray(name, names.indexOf(0, name)).toString() === wanted) return bytes;
  }
  return undefined;
}

interface Section {
  /** Offset in the table of names. */
  name: number;
  bytes: Buffer;
}
