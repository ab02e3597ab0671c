import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { Blobs } from '../blobs.js';
import { notFound } from '../errors.js';
import { custom, type Reply } from '../http.js';

/** A reply with the bytes of a blob. Throws 404 where it is gone. */
export async function sendBlob(blobs: Blobs, sha256: string | null, what: string, filename: string): Promise<Reply> {
  const path = sha256 === null ? undefined : await blobs.path(sha256);
  if (path === undefined) throw notFound(what);
  const { size } = await stat(path);
  return custom({
    status: 200,
    headers: {
      'content-type': 'application/octet-stream',
      'content-length': String(size),
      'content-disposition': `attachment; filename="${filename}"`,
      // `cf download-droplet` may come by a redirect in the real platform; here the bytes come at once.
      'cache-control': 'no-store',
    },
    send: (response) => pipeline(createReadStream(path), response),
  });
}
