import { UnikError } from '../../../core/errors.js';
import { INODE_BYTES, ROFS_BLOCK, ROFS_MAGIC, ROFS_MODES } from './format.js';

export interface RofsFile {
  path: string;
  kind: 'folder' | 'file' | 'symlink';
  /** A file's bytes, a symlink's target. */
  data: Uint8Array;
}

interface Inode {
  mode: number;
  offset: number;
  count: number;
}

/** All that is in the file system, each folder before its content. Throws image_invalid. */
export function readRofs(image: Uint8Array): RofsFile[] {
  const bytes = Buffer.from(image.buffer, image.byteOffset, image.byteLength);
  const word = (at: number): number => {
    if (at < 0 || at + 8 > bytes.length) throw invalid('it is cut off');
    const value = bytes.readBigUInt64LE(at);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw invalid('a number that is too large');
    return Number(value);
  };
  const half = (at: number): number => {
    if (at + 2 > bytes.length) throw invalid('it is cut off');
    return bytes.readUInt16LE(at);
  };
  const part = (at: number, length: number): Buffer => {
    if (at + length > bytes.length) throw invalid('it is cut off');
    return bytes.subarray(at, at + length);
  };
  if (bytes.length < ROFS_BLOCK || bytes.readBigUInt64LE(0) !== ROFS_MAGIC) throw invalid('the magic is missing');
  const [block, , entryCount, linkCount, inodeCount] = [24, 32, 40, 48, 56].map(word) as [
    number,
    number,
    number,
    number,
    number,
  ];
  let at = block * ROFS_BLOCK;
  const most = Math.ceil(bytes.length / 2);
  if (entryCount > most || linkCount > most || inodeCount > most) throw invalid('more records than it has bytes');

  const entries: { inode: number; name: string }[] = [];
  for (let i = 0; i < entryCount; i++) {
    const length = half(at + 8);
    const name = part(at + 10, length).toString('latin1');
    if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name))
      throw invalid(`the name ${JSON.stringify(name)}`);
    entries.push({ inode: word(at), name });
    at += 10 + length;
  }
  const links: Buffer[] = [];
  for (let i = 0; i < linkCount; i++) {
    const length = half(at);
    links.push(part(at + 2, length));
    at += 2 + length;
  }
  const inodes: Inode[] = [];
  for (let i = 0; i < inodeCount; i++, at += INODE_BYTES) {
    if (word(at + 8) !== i + 1) throw invalid('inodes out of order');
    inodes.push({ mode: word(at), offset: word(at + 16), count: word(at + 24) });
  }

  const files: RofsFile[] = [];
  const seen = new Set<number>();
  const queue: { path: string; number: number }[] = [{ path: '', number: 1 }];
  for (let item = queue.shift(); item; item = queue.shift()) {
    const { path, number } = item;
    const inode = inodes[number - 1];
    if (!inode || seen.has(number)) throw invalid('an entry that leads nowhere, or where another leads');
    seen.add(number);
    if (inode.mode === ROFS_MODES.folder) {
      if (inode.offset + inode.count > entries.length) throw invalid('a folder with more than there is');
      if (path !== '') files.push({ path, kind: 'folder', data: new Uint8Array() });
      const children = entries.slice(inode.offset, inode.offset + inode.count);
      queue.push(
        ...children.map(({ name, inode: to }) => ({ path: path === '' ? name : `${path}/${name}`, number: to })),
      );
    } else if (inode.mode === ROFS_MODES.symlink) {
      const target = links[inode.offset];
      if (!target) throw invalid('a symlink without a target');
      files.push({ path, kind: 'symlink', data: target });
    } else if (inode.mode === ROFS_MODES.file) {
      files.push({ path, kind: 'file', data: part(inode.offset * ROFS_BLOCK, inode.count) });
    } else {
      throw invalid(`an inode of mode ${inode.mode.toString(16)}`);
    }
  }
  return files;
}

function invalid(message: string): UnikError {
  return new UnikError('image_invalid', `ROFS: ${message}`);
}
