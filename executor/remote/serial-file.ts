import { open } from 'node:fs/promises';
import { hasCode } from '../../core/errors.js';

const READ_BYTES = 1024 * 1024;

/** What a file that a serial line is written to has from `position` on, at most 1 MiB. Undefined: there is none yet. */
export async function readSerialFile(path: string, position: number): Promise<Buffer | undefined> {
  try {
    const file = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(READ_BYTES), 0, READ_BYTES, position);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (err) {
    if (hasCode(err, 'ENOENT')) return undefined;
    throw err;
  }
}
