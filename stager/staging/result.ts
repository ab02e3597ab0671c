import { UnikError } from '../../core/errors.js';
import type { Scratch } from './scratch.js';

/** Diego's executor reads no larger one (rep `container_delegate.go`, 50 KB). */
export const MAX_RESULT_BYTES = 51_200;

/** Content of a task's result file. Throws not_found, bad_request for what is no file or too large. */
export async function readResult(scratch: Scratch, path: string): Promise<string> {
  const file = await scratch.openFile(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_RESULT_BYTES + 1), 0, MAX_RESULT_BYTES + 1, 0);
    if (bytesRead <= MAX_RESULT_BYTES) return buffer.toString('utf8', 0, bytesRead);
    throw new UnikError('bad_request', `${path} is larger than ${MAX_RESULT_BYTES} bytes`);
  } finally {
    await file.close();
  }
}
