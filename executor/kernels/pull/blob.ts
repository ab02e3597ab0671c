import { createHash } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { messageOf, UnikError } from '../../../core/errors.js';
import { digestFile } from '../../images/digest.js';
import type { Reply } from './http.js';

const ATTEMPTS = 5;

export interface BlobOptions {
  digest: string;
  /** What it may have at most, or exactly has where that is known. */
  max_bytes: number;
  /** Asks for the bytes from `from` on. */
  fetch: (from: number) => Promise<Reply>;
  /** For people. */
  what: string;
  signal?: AbortSignal | undefined;
}

/**
 * Downloads to `file`, which appears whole and of the right digest. What arrived before a cut is kept in `file.part`, and
 * the next attempt, or the next call, goes on from there. Throws download_failed.
 */
export async function downloadBlob(file: string, options: BlobOptions): Promise<void> {
  const part = `${file}.part`;
  let last: unknown;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    options.signal?.throwIfAborted();
    try {
      await goOn(part, options);
      if ((await digestFile(part, options.signal)) !== options.digest) {
        await rm(part, { force: true });
        throw new Mismatch(options);
      }
      await rename(part, file);
      return;
    } catch (err) {
      options.signal?.throwIfAborted();
      if (err instanceof UnikError && err.code !== 'download_failed') throw err;
      if (err instanceof Refusal) throw err.error;
      if (err instanceof Mismatch) throw err.error;
      last = err;
    }
  }
  throw new UnikError('download_failed', `${options.what}: given up after ${ATTEMPTS} attempts: ${messageOf(last)}`, {
    cause: last,
  });
}

/** The bytes are there and are not those: another attempt would bring the same. */
class Mismatch extends Error {
  readonly error: UnikError;
  constructor({ what, digest }: BlobOptions) {
    super(what);
    this.error = new UnikError('download_failed', `${what}: what arrived is not of the digest ${digest}`);
  }
}

class Refusal extends Error {
  constructor(readonly error: UnikError) {
    super(error.message);
  }
}

async function goOn(part: string, { max_bytes, fetch, what }: BlobOptions): Promise<void> {
  const file = await open(part, 'a', 0o600);
  try {
    let { size } = await file.stat();
    const reply = await fetch(size);
    if (reply.status === 416 && size > 0) {
      await reply.body.dump();
      return;
    }
    if (reply.status !== 200 && reply.status !== 206) {
      await reply.body.dump();
      const error = new UnikError('download_failed', `${what}: status ${reply.status}`);
      throw reply.status >= 500 || reply.status === 429 ? error : new Refusal(error);
    }
    if (reply.status === 200 && size > 0) {
      // It cannot send a part: from the start again.
      await file.truncate(0);
      size = 0;
    }
    for await (const bytes of reply.body) {
      size += (bytes as Buffer).length;
      if (size > max_bytes) {
        await file.truncate(0);
        throw new Refusal(new UnikError('download_failed', `${what} has more than ${max_bytes} bytes`));
      }
      await file.write(bytes as Buffer);
    }
  } finally {
    await file.close();
  }
}

export function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
