import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { rootCertificates } from 'node:tls';
import { Agent, request } from 'undici';
import type { Clock } from '../../core/clock.js';
import { messageOf, toUnikError, UnikError } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import { parseAddress } from './url.js';

export interface Uploader {
  /** POSTs the file `from` to the URL `to`; gives its bytes. Rejects with the signal's reason, or upload_failed. */
  upload(file: { from: string; to: string }, signal: AbortSignal): Promise<number>;
  close(): Promise<void>;
}

export interface UploaderOptions {
  /** Shown to servers that ask for a certificate, PEM; `ca` is trusted beside the public authorities. */
  tls?: { ca: string; cert: string; key: string };
  clock: Clock;
  log: Log;
  /** Diego: 3. */
  attempts?: number;
  pause_ms?: number;
  /** For a connection, and between bytes. */
  idle_ms?: number;
  /** From the last byte sent to the reply: the receiver may first hand the file on. */
  reply_ms?: number;
}

/** Uploads as Diego's executor does (`uploader/uploader.go`): digests in headers, 3 attempts, a status below 400. */
export function createUploader(options: UploaderOptions): Uploader {
  const { tls, clock, log, attempts = 3, pause_ms = 500, idle_ms = 10_000, reply_ms = 600_000 } = options;
  const dispatcher = new Agent({
    connect: { ...(tls ? { ...tls, ca: [...rootCertificates, tls.ca] } : {}), timeout: idle_ms },
    headersTimeout: reply_ms,
    bodyTimeout: idle_ms,
  });

  async function once(from: string, to: string, digests: Digests, signal: AbortSignal): Promise<void> {
    const { url, authorization, shown } = parseAddress(to, 'upload_failed');
    const body = createReadStream(from);
    try {
      const reply = await request(url, {
        ...{ dispatcher, signal, method: 'POST', body },
        headers: {
          'content-type': 'application/octet-stream',
          'content-length': String(digests.bytes),
          'content-md5': digests.md5,
          'content-digest': `sha-256=:${digests.sha256}:`,
          ...(authorization === undefined ? {} : { authorization }),
        },
      });
      await reply.body.dump();
      if (reply.statusCode >= 400) throw new UnikError('upload_failed', `${shown}: status ${reply.statusCode}`);
    } catch (err) {
      signal.throwIfAborted();
      if (err instanceof UnikError) throw err;
      throw new UnikError('upload_failed', `${shown}: ${messageOf(err)}`, { cause: err });
    } finally {
      body.destroy();
    }
  }

  return {
    async upload({ from, to }, signal) {
      const digests = await digestsOf(from, signal);
      for (let attempt = 1; ; attempt++) {
        try {
          await once(from, to, digests, signal);
          return digests.bytes;
        } catch (err) {
          if (signal.aborted || attempt >= attempts) throw err;
          log.warn({ attempt, err: messageOf(err) }, 'upload.attempt-failed');
          await clock.sleep(pause_ms, signal);
        }
      }
    },
    close: () => dispatcher.destroy(),
  };
}

interface Digests {
  bytes: number;
  /** Base64. */
  md5: string;
  sha256: string;
}

async function digestsOf(path: string, signal: AbortSignal): Promise<Digests> {
  const [md5, sha256] = [createHash('md5'), createHash('sha256')];
  let bytes = 0;
  try {
    await pipeline(
      createReadStream(path),
      async (chunks: AsyncIterable<Buffer>) => {
        for await (const chunk of chunks) {
          bytes += chunk.length;
          md5.update(chunk);
          sha256.update(chunk);
        }
      },
      { signal },
    );
  } catch (err) {
    signal.throwIfAborted();
    throw toUnikError(err, 'upload_failed');
  }
  return { bytes, md5: md5.digest('base64'), sha256: sha256.digest('base64') };
}
