import { UnikError } from '../../../core/errors.js';

export const S_IFDIR = 0o040000;
export const S_IFREG = 0o100000;
export const S_IFLNK = 0o120000;
export const S_IFCHR = 0o020000;

export interface CpioHeader {
  inode: number;
  /** Type and permission bits as in `st_mode`. */
  mode: number;
  bytes: number;
  /** Without a leading slash. */
  name: Uint8Array;
  /** Character device numbers. */
  device?: { major: number; minor: number };
}

export const HEADER_BYTES = 110;

/** A header of the "new ASCII" format (070701) with its name, padded to four bytes. Owners and times are 0. */
export function cpioHeader({ inode, mode, bytes, name, device = { major: 0, minor: 0 } }: CpioHeader): Buffer {
  if (bytes > 0xffffffff) {
    throw new UnikError(
      'bad_request',
      `${Buffer.from(name).toString()}: a file above 4 GB does not fit this guest's root`,
    );
  }
  const links = (mode & 0o170000) === S_IFDIR ? 2 : 1;
  const fields = [inode, mode, 0, 0, links, 0, bytes, 0, 0, device.major, device.minor, name.length + 1, 0];
  const text = fields.map((field) => field.toString(16).padStart(8, '0')).join('');
  const header = Buffer.alloc((HEADER_BYTES + name.length + 1 + 3) & ~3);
  header.write(`070701${text}`, 'latin1');
  header.set(name, HEADER_BYTES);
  return header;
}
