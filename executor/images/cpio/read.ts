import { UnikError } from '../../../core/errors.js';
import { HEADER_BYTES } from './format.js';

export interface CpioEntry {
  name: string;
  mode: number;
  /** A view of the archive. */
  data: Uint8Array;
}

const MAX_NAME = 4096;

/**
 * The entries of a "new ASCII" archive, in its order, up to its trailer. Throws image_invalid for anything else: another
 * format (a compressed archive among them), a cut, or a name that leaves the archive's own folder.
 */
export function* readCpio(archive: Uint8Array): Iterable<CpioEntry> {
  const bytes = Buffer.from(archive.buffer, archive.byteOffset, archive.byteLength);
  for (let at = 0; ;) {
    if (at + HEADER_BYTES > bytes.length) throw invalid('the archive is cut off');
    const magic = bytes.toString('latin1', at, at + 6);
    if (magic !== '070701' && magic !== '070702')
      throw invalid(`at byte ${at} is no header (is the archive compressed?)`);
    const field = (index: number): number => {
      const text = bytes.toString('latin1', at + 6 + index * 8, at + 14 + index * 8);
      if (!/^[0-9a-fA-F]{8}$/.test(text)) throw invalid(`the header at byte ${at} is damaged`);
      return parseInt(text, 16);
    };
    const [mode, size, nameBytes] = [field(1), field(6), field(11)];
    if (nameBytes < 2 || nameBytes > MAX_NAME) throw invalid(`a name of ${nameBytes} bytes`);
    const dataAt = align4(at + HEADER_BYTES + nameBytes);
    if (dataAt + size > bytes.length) throw invalid('the archive is cut off');
    const name = bytes.toString('latin1', at + HEADER_BYTES, at + HEADER_BYTES + nameBytes - 1);
    if (name === 'TRAILER!!!') return;
    yield { name: inside(name), mode, data: bytes.subarray(dataAt, dataAt + size) };
    at = align4(dataAt + size);
  }
}

const align4 = (offset: number): number => Math.ceil(offset / 4) * 4;

function inside(name: string): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..') || name.includes('\0'))
    throw invalid(`the name ${JSON.stringify(name)} leads out of the archive`);
  return parts.join('/');
}

function invalid(message: string): UnikError {
  return new UnikError('image_invalid', `cpio: ${message}`);
}
