import { cpioHeader, S_IFCHR, S_IFDIR, S_IFREG } from '../../images/cpio/format.js';

/** The initramfs of a kernel entry: our init, the modules it loads, and the order to load them in. */
export interface ArchiveEntry {
  /** Without a leading slash. */
  path: string;
  /** Type and permission bits as in `st_mode`. */
  mode: number;
  data?: Uint8Array;
  /** Character device numbers. */
  device?: { major: number; minor: number };
}

/** `modules` in the order they are to be loaded. Same input, same bytes. */
export function linuxInitramfs(init: Uint8Array, modules: readonly { name: string; data: Uint8Array }[]): Uint8Array {
  const order = modules.map(({ name }) => `${name}\n`).join('');
  return cpio([
    { path: 'dev', mode: S_IFDIR | 0o755 },
    // The kernel opens it for init before init can mount /dev.
    { path: 'dev/console', mode: S_IFCHR | 0o600, device: { major: 5, minor: 1 } },
    { path: 'modules', mode: S_IFDIR | 0o755 },
    { path: 'modules/order', mode: S_IFREG | 0o644, data: new TextEncoder().encode(order) },
    ...modules.map(({ name, data }) => ({ path: `modules/${name}`, mode: S_IFREG | 0o644, data })),
    { path: 'init', mode: S_IFREG | 0o755, data: init },
  ]);
}

/** A cpio archive that depends on nothing but its entries. */
export function cpio(entries: readonly ArchiveEntry[]): Uint8Array {
  const all = [...entries, { path: 'TRAILER!!!', mode: 0 }];
  return Buffer.concat(all.flatMap((entry, index) => [header(entry, index + 1), padded(entry.data ?? EMPTY)]));
}

const EMPTY = new Uint8Array();

function header({ path, mode, data = EMPTY, device }: ArchiveEntry, inode: number): Uint8Array {
  return cpioHeader({ inode, mode, bytes: data.length, name: Buffer.from(path), ...(device ? { device } : {}) });
}

/** With zeros up to a multiple of four bytes, as the format wants after data. */
function padded(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([bytes, new Uint8Array(-bytes.length & 3)]);
}
