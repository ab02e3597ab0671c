import type { FileHandle } from 'node:fs/promises';

const MOST = 64 * 1024;

/**
 * The bytes at `offset`, at most 64 KiB; none at the end of the file. Asks how much there is first: whoever follows a
 * thousand quiet files must not hold a buffer for each.
 */
export async function readSome(file: FileHandle, offset: number): Promise<{ buffer: Buffer; bytesRead: number }> {
  const { size } = await file.stat();
  const length = Math.min(MOST, size - offset);
  if (length <= 0) return { buffer: Buffer.alloc(0), bytesRead: 0 };
  return file.read(Buffer.allocUnsafe(length), 0, length, offset);
}
