/** A buildpack as `cf create-buildpack` sends it: multipart, one part `bits`, a zip. */
import busboy from 'busboy';
import type { Request } from 'express';
import { pipeline } from 'node:stream/promises';
import type { Blob, Blobs } from './blobs.js';
import { cfError } from './errors.js';

export async function receiveBuildpack(
  request: Request,
  blobs: Blobs,
  limit: number,
): Promise<{ blob: Blob; filename: string }> {
  if (!/^multipart\/form-data/i.test(request.headers['content-type'] ?? ''))
    throw cfError('BuildpackBitsUploadInvalid', 'a file must be provided as part `bits` of a form');
  let got: { kept: Promise<Blob>; filename: string } | undefined;
  const form = busboy({ headers: request.headers, limits: { files: 1, fields: 10, parts: 12 } });
  form.on('file', (name, content, info) => {
    const given = info.filename;
    if (name !== 'bits' || got) return void content.resume();
    const kept = blobs.put(content, limit);
    // Looked at below; a refusal must not leave the rest of the request unread.
    kept.catch(() => content.resume());
    got = { kept, filename: given === undefined || given === '' ? 'buildpack.zip' : given };
  });
  await pipeline(request, form);
  if (!got) throw cfError('BuildpackBitsUploadInvalid', 'a file must be provided as part `bits`');
  const { kept, filename } = got;
  const blob = await kept;
  if (blob.bytes === 0) throw cfError('BuildpackBitsUploadInvalid', 'the file is empty');
  if (!filename.endsWith('.zip')) throw cfError('BuildpackBitsUploadInvalid', `${filename} is not a zip`);
  return { blob, filename };
}
