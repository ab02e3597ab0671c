/** Uploads: `multipart/form-data` with a file or two, bounded, straight to disk. */
import busboy from 'busboy';
import { createWriteStream } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { messageOf } from '../../../core/errors.js';
import { CfError, cfError } from '../errors.js';

export interface FormFile {
  path: string;
  /** As the client calls it; never a path here. */
  filename: string | undefined;
}

export interface Form {
  fields: ReadonlyMap<string, string>;
  files: ReadonlyMap<string, FormFile>;
}

export interface FormOptions {
  /** Exists; files are written into it. */
  folder: string;
  /** Of each file. */
  max_bytes: number;
  signal: AbortSignal;
}

const MOST = { files: 2, fields: 20, parts: 24, fieldNameSize: 200, fieldSize: 64 * 2 ** 20 };

/** Throws InvalidRequest for what is no form, UploadTooLarge. */
export async function readForm(request: IncomingMessage, { folder, max_bytes, signal }: FormOptions): Promise<Form> {
  const fields = new Map<string, string>();
  const files = new Map<string, FormFile>();
  const writing: Promise<void>[] = [];
  const parser = parserOf(request, max_bytes);
  const broken = new AbortController();
  // Not at once: the parser is in the middle of a chunk when it tells.
  const refuse = (error: CfError): void => void setImmediate(() => broken.abort(error));
  const gone = AbortSignal.any([signal, broken.signal]);
  parser.on('field', (name, value, { valueTruncated }) => {
    if (valueTruncated) refuse(cfError('UploadTooLarge', `the ${MOST.fieldSize} bytes allowed for ${name}`));
    fields.set(name, value);
  });
  parser.on('file', (name, content, info) => {
    const path = join(folder, `upload-${files.size}`);
    files.set(name, { path, filename: info.filename });
    content.once('limit', () => refuse(cfError('UploadTooLarge', `the ${max_bytes} bytes allowed`)));
    const written = pipeline(content, createWriteStream(path, { flags: 'wx', mode: 0o600 }), { signal: gone });
    // Its failure is told below, with the others'.
    written.catch(() => undefined);
    writing.push(written);
  });
  for (const limit of ['filesLimit', 'fieldsLimit', 'partsLimit'] as const) {
    parser.once(limit, () => refuse(cfError('InvalidRequest', 'it has too many parts')));
  }
  try {
    await pipeline(request, parser, { signal: gone });
    await Promise.all(writing);
    // Told with the last bytes.
    await new Promise((resolve) => setImmediate(resolve));
    broken.signal.throwIfAborted();
  } catch (err) {
    await Promise.allSettled(writing);
    signal.throwIfAborted();
    if (broken.signal.aborted) throw broken.signal.reason;
    if (err instanceof CfError) throw err;
    throw cfError('InvalidRequest', messageOf(err));
  }
  return { fields, files };
}

function parserOf({ headers }: IncomingMessage, fileSize: number): busboy.Busboy {
  try {
    return busboy({ headers, limits: { ...MOST, fileSize }, preservePath: false });
  } catch (err) {
    throw cfError('InvalidRequest', `the upload is no form: ${messageOf(err)}`);
  }
}
