/** A droplet that somebody brings (`cf push --droplet`): looked through before it is kept. */
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { messageOf, UnikError } from '../../../core/errors.js';

export interface DropletLimits {
  max_unpacked_bytes: number;
  max_entries: number;
}

export const DROPLET_LIMITS: DropletLimits = { max_unpacked_bytes: 8 * 1_073_741_824, max_entries: 500_000 };

/** Throws archive_invalid for what is no gzipped tar, is larger than allowed, or has names that leave its folder. */
export async function checkDroplet(path: string, limits: DropletLimits, signal: AbortSignal): Promise<void> {
  const entries = extract();
  let [bytes, count] = [0, 0];
  entries.on('entry', ({ name, size }, content, next) => {
    bytes += size || 0;
    count += 1;
    const climbs = name.startsWith('/') || name.split('/').includes('..');
    const fault = climbs
      ? `the name ${JSON.stringify(name)} leaves the folder`
      : bytes > limits.max_unpacked_bytes
        ? `unpacked it is larger than the ${limits.max_unpacked_bytes} bytes allowed`
        : count > limits.max_entries
          ? `it has more than the ${limits.max_entries} entries allowed`
          : undefined;
    // It fails with the whole, which is told below.
    content.on('error', () => undefined);
    content.resume();
    if (fault === undefined) content.once('end', () => next());
    else next(new UnikError('archive_invalid', fault));
  });
  try {
    await pipeline(createReadStream(path), createGunzip(), entries, { signal });
  } catch (err) {
    signal.throwIfAborted();
    if (err instanceof UnikError) throw err;
    throw new UnikError('archive_invalid', `it is no gzipped tar: ${messageOf(err)}`, { cause: err });
  }
  if (count === 0) throw new UnikError('archive_invalid', 'it is empty');
}
