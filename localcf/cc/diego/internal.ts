/** What only the cell and the BBS reach: bits to stage and to run, uploads of what was staged, and how tasks ended. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { Identity } from '../../../backend/wire/bbs.js';
import { messageOf } from '../../../core/errors.js';
import type { Log } from '../../../core/log.js';
import { answer, listenHttps, readBody, type HttpsListener } from '../../https.js';
import type { Blobs, HeldBlob } from '../blobs.js';
import { CfError } from '../errors.js';
import { callbackSchema, type Callback } from './staging-result.js';
import { isSigned } from './places.js';

export interface InternalOptions {
  tls: Identity;
  host: string;
  port: number;
  key: Buffer;
  blobs: Blobs;
  lifecycle: { path: string; sha256: string };
  /** Bytes of a droplet or a build cache. */
  max_upload_bytes: number;
  log: Log;
  /** False: the build is not staging any more. */
  uploaded: (kind: 'droplet' | 'cache', build_guid: string, blob: HeldBlob) => Promise<boolean>;
  staged: (build_guid: string, callback: Callback) => Promise<void>;
  task_done: (task_guid: string, callback: Callback) => Promise<void>;
}

/** Uploads are large, and machines are slow. */
const REQUEST_MS = 900_000;

export function serveInternal(options: InternalOptions): Promise<HttpsListener> {
  const { tls, host, port, log } = options;
  return listenHttps({
    ...{ tls, host, port, request_ms: REQUEST_MS },
    handle(request, response) {
      serve(options, request, response).catch((err: unknown) => {
        log.warn({ reason: messageOf(err), path: pathOf(request).pathname }, 'internal.request-failed');
        if (response.headersSent) response.destroy();
        else answer(response, err instanceof CfError ? err.status : 500, `${messageOf(err)}\n`);
      });
    },
  });
}

const pathOf = ({ url }: IncomingMessage): URL => new URL(url ?? '/', 'https://internal');

async function serve(options: InternalOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams } = pathOf(request);
  if (!isSigned(options.key, pathname, searchParams.get('signature'))) {
    answer(response, 403, 'no such address\n');
    return;
  }
  const [, place, one = '', two = ''] = pathname.split('/');
  if (request.method === 'GET' || request.method === 'HEAD') {
    const path = place === 'lifecycle' ? options.lifecycle.path : await options.blobs.path(two);
    if (path === undefined) {
      answer(response, 404, 'it is gone\n');
      return;
    }
    return sendFile(path, place === 'lifecycle' ? one : two, request, response);
  }
  if (request.method !== 'POST') {
    answer(response, 405, '', { allow: 'GET, HEAD, POST' });
    return;
  }
  if (two === 'completed') {
    const body = await readBody(request);
    if (!body) {
      answer(response, 413, 'too large\n');
      return;
    }
    const callback = callbackSchema.parse(JSON.parse(body.toString()));
    await (place === 'tasks' ? options.task_done(one, callback) : options.staged(one, callback));
    answer(response, 200, '{}', { 'content-type': 'application/json' });
    return;
  }
  return takeUpload(options, { build_guid: one, kind: two === 'droplet' ? 'droplet' : 'cache' }, request, response);
}

async function sendFile(path: string, etag: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.headers['if-none-match'] === `"${etag}"`) {
    answer(response, 304, '', { etag: `"${etag}"` });
    return;
  }
  const { size } = await stat(path);
  response.writeHead(200, { 'content-length': size, 'content-type': 'application/octet-stream', etag: `"${etag}"` });
  if (request.method === 'HEAD') response.end();
  else await pipeline(createReadStream(path), response);
}

async function takeUpload(
  { blobs, max_upload_bytes, uploaded }: InternalOptions,
  { build_guid, kind }: { build_guid: string; kind: 'droplet' | 'cache' },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const blob = await blobs.put(request, max_upload_bytes);
  try {
    const told = /sha-256=:([^:]+):/.exec(String(request.headers['content-digest'] ?? ''))?.[1];
    if (told !== undefined && told !== Buffer.from(blob.sha256, 'hex').toString('base64')) {
      answer(response, 400, 'it is not what its digest says\n');
      return;
    }
    const taken = await uploaded(kind, build_guid, blob);
    answer(response, taken ? 201 : 410, taken ? '' : 'the build has ended\n');
    return;
  } finally {
    blob.release();
  }
}
