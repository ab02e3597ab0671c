import { readFileSync, statSync } from 'node:fs';
import type { FileEntry, FolderEntry } from '../../executor/images/tree.js';

const HEADER = 16;
/** Flag of PEP 552: valid whatever the source's time and content are. */
const UNCHECKED_HASH = 1;

/**
 * The standard library comes with bytecode that names its source's time, which no file has any more in an image. As
 * long as it fits its source here, its header is rewritten to "valid"; else it is left out. Without it the
 * interpreter would compile what it imports at every start.
 */
export function settleBytecode(folder: FolderEntry, cacheTag: string): void {
  for (const [name, entry] of folder.children) {
    if (entry.kind !== 'folder') continue;
    if (name !== '__pycache__') {
      settleBytecode(entry, cacheTag);
      continue;
    }
    for (const [file, bytecode] of entry.children) {
      const source = folder.children.get(file.replace(`.${cacheTag}.pyc`, '.py'));
      const settled = bytecode.kind === 'file' && source?.kind === 'file' ? settle(bytecode, source) : undefined;
      if (settled) entry.children.set(file, settled);
      else entry.children.delete(file);
    }
  }
}

function settle(bytecode: FileEntry, source: FileEntry): FileEntry | undefined {
  if (bytecode.content instanceof Uint8Array || source.content instanceof Uint8Array) return undefined;
  const bytes = readFileSync(bytecode.content.path);
  if (bytes.length < HEADER) return undefined;
  if (bytes.readUInt32LE(4) !== 0) return bytecode;
  const { mtimeMs, size } = statSync(source.content.path);
  const fits = bytes.readUInt32LE(8) === Math.floor(mtimeMs / 1000) >>> 0 && bytes.readUInt32LE(12) === size >>> 0;
  if (!fits) return undefined;
  bytes.writeUInt32LE(UNCHECKED_HASH, 4);
  bytes.fill(0, 8, HEADER);
  return { ...bytecode, content: bytes };
}
