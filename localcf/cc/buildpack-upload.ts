/** A buildpack as `cf create-buildpack` sends it: a form with one file `bits`, a zip. */
import { open } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { readForm } from './bits/multipart.js';
import type { Blobs, HeldBlob } from './blobs.js';
import { cfError } from './errors.js';

export interface UploadOptions {
  blobs: Blobs;
  max_bytes: number;
  signal: AbortSignal;
}

/** Release the blob when a row names it. */
export async function receiveBuildpack(
  request: IncomingMessage,
  { blobs, max_bytes, signal }: UploadOptions,
): Promise<{ blob: HeldBlob; filename: string }> {
  const scratch = await blobs.scratch();
  try {
    const { files } = await readForm(request, { folder: scratch.path, max_bytes, signal });
    const bits = files.get('bits');
    if (!bits) throw cfError('BuildpackBitsUploadInvalid', 'a file must be provided as part `bits`');
    const filename = bits.filename ?? 'buildpack.zip';
    if (!filename.endsWith('.zip') || !(await isZip(bits.path)))
      throw cfError('BuildpackBitsUploadInvalid', `${filename} is not a zip`);
    return { blob: await blobs.adopt(bits.path), filename };
  } finally {
    await scratch.remove();
  }
}

async function isZip(path: string): Promise<boolean> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(4), position: 0 });
    return bytesRead === 4 && buffer.readUInt32BE() === 0x504b0304;
  } finally {
    await file.close();
  }
}
