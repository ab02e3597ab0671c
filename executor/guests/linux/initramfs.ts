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

const FOLDER = 0o040000;
const FILE = 0o100000;
const CHARACTER_DEVICE = 0o020000;

/** `modules` in the order they are to be loaded. Same input, same bytes. */
export function linuxInitramfs(init: Uint8Array, modules: readonly { name: string; data: Uint8Array }[]): Uint8Array {
  const order = modules.map(({ name }) => `${name}\n`).join('');
  return cpio([
    { path: 'dev', mode: FOLDER | 0o755 },
    // The kernel opens it for init before init can mount /dev.
    { path: 'dev/console', mode: CHARACTER_DEVICE | 0o600, device: { major: 5, minor: 1 } },
    { path: 'modules', mode: FOLDER | 0o755 },
    { path: 'modules/order', mode: FILE | 0o644, data: new TextEncoder().encode(order) },
    ...modules.map(({ name, data }) => ({ path: `modules/${name}`, mode: FILE | 0o644, data })),
    { path: 'init', mode: FILE | 0o755, data: init },
  ]);
}

/** A cpio archive in the "new ASCII" format (070701): owners and times are 0, so that it depends on nothing else. */
export function cpio(entries: readonly ArchiveEntry[]): Uint8Array {
  const all = [...entries, { path: 'TRAILER!!!', mode: 0 }];
  return Buffer.concat(all.flatMap((entry, index) => [header(entry, index + 1), padded(entry.data ?? EMPTY)]));
}

const EMPTY = new Uint8Array();

function header(entry: ArchiveEntry, inode: number): Uint8Array {
  const name = Buffer.from(`${entry.path}\0`);
  const links = (entry.mode & FOLDER) === FOLDER ? 2 : 1;
  const { major, minor } = entry.device ?? { major: 0, minor: 0 };
  const fields = [inode, entry.mode, 0, 0, links, 0, entry.data?.length ?? 0, 0, 0, major, minor, name.length, 0];
  const text = fields.map((field) => field.toString(16).padStart(8, '0')).join('');
  return padded(Buffer.concat([Buffer.from(`070701${text}`), name]));
}

/** With zeros up to a multiple of four bytes, as the format wants after a name and after data. */
function padded(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([bytes, new Uint8Array(-bytes.length & 3)]);
}
