import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { Transform, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { request, type Dispatcher } from 'undici';
import { messageOf, toUnikError, UnikError } from '../../core/errors.js';
import { parseAddress, type Address } from './url.js';

export interface Checksum {
  algorithm: 'md5' | 'sha1' | 'sha256';
  /** Hex. */
  value: string;
}

/** What a server gave to ask again by. */
export interface Validators {
  etag?: string;
  last_modified?: string;
}

export interface TransferOptions {
  dispatcher: Dispatcher;
  max_bytes: number;
  checksum?: Checksum | undefined;
  /** Of what is there already: the reply may then be that it is still the same. */
  known?: Validators | undefined;
}

export type Transferred = { kind: 'unchanged' } | { kind: 'file'; bytes: number; validators: Validators };

/** More attempts cannot help. */
export class FinalError extends UnikError {}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const MAX_REDIRECTS = 10;

/**
 * One attempt to bring what lies at `from` into the file `to`, which must not exist and does not after a failure.
 * Throws download_failed (FinalError: for good), disk_full.
 */
export async function transfer(
  from: string,
  to: string,
  options: TransferOptions,
  signal: AbortSignal,
): Promise<Transferred> {
  const first = address(from);
  try {
    const reply = await follow(first, options, signal);
    if (reply.statusCode === 304 && options.known) {
      await reply.body.dump();
      return { kind: 'unchanged' };
    }
    if (reply.statusCode !== 200) {
      await reply.body.dump();
      throw new UnikError('download_failed', `${first.shown}: status ${reply.statusCode}`);
    }
    const bytes = await save(reply.body, to, first.shown, options, signal);
    return { kind: 'file', bytes, validators: validatorsOf(reply.headers) };
  } catch (err) {
    signal.throwIfAborted();
    if (err instanceof UnikError) throw err;
    const known = toUnikError(err, 'download_failed');
    if (known.code !== 'download_failed') throw known;
    throw new UnikError('download_failed', `${first.shown}: ${messageOf(err)}`, { cause: err });
  }
}

function address(text: string, base?: URL): Address {
  try {
    return parseAddress(text, 'download_failed', base);
  } catch (err) {
    throw new FinalError('download_failed', messageOf(err));
  }
}

/** By hand, so that the user and password of one server never reach the next. */
async function follow(start: Address, options: TransferOptions, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
  let at = start;
  for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
    const reply = await request(at.url, {
      dispatcher: options.dispatcher,
      signal,
      headers: {
        ...(at.authorization === undefined ? {} : { authorization: at.authorization }),
        ...(options.known?.etag === undefined ? {} : { 'if-none-match': options.known.etag }),
        ...(options.known?.last_modified === undefined ? {} : { 'if-modified-since': options.known.last_modified }),
      },
    });
    const location = reply.headers['location'];
    if (!REDIRECTS.has(reply.statusCode) || typeof location !== 'string') return reply;
    await reply.body.dump();
    at = address(location, at.url);
  }
  throw new FinalError('download_failed', `${start.shown}: more than ${MAX_REDIRECTS} redirects`);
}

async function save(
  body: Readable,
  to: string,
  shown: string,
  { checksum, max_bytes }: TransferOptions,
  signal: AbortSignal,
): Promise<number> {
  const hash = checksum && createHash(checksum.algorithm);
  let bytes = 0;
  const measure = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      hash?.update(chunk);
      if (bytes <= max_bytes) done(null, chunk);
      else done(new FinalError('download_failed', `${shown}: larger than the ${max_bytes} bytes allowed`));
    },
  });
  try {
    await pipeline(body, measure, createWriteStream(to, { flags: 'wx', mode: 0o600 }), { signal });
    const found = hash?.digest('hex');
    if (checksum && found !== checksum.value.toLowerCase()) {
      const what = `its ${checksum.algorithm} checksum is ${found}, not ${checksum.value}`;
      throw new FinalError('download_failed', `${shown}: ${what}`);
    }
    return bytes;
  } catch (err) {
    await rm(to, { force: true });
    throw err;
  }
}

function validatorsOf(headers: Dispatcher.ResponseData['headers']): Validators {
  const { etag, 'last-modified': modified } = headers;
  return {
    ...(typeof etag === 'string' ? { etag } : {}),
    ...(typeof modified === 'string' ? { last_modified: modified } : {}),
  };
}
