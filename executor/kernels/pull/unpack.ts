import { createReadStream, createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { messageOf, UnikError } from '../../../core/errors.js';

/** What of a package is kept, and under which name. Everything else in it is passed over. */
const KEPT: Readonly<Record<string, string>> = {
  'unikraft/bin/kernel': 'kernel',
  'unikraft/bin/config': 'config',
};
const MAX_BYTES = 256 * 1024 * 1024;

/**
 * Takes the known files of one layer (a tar, maybe gzipped) into the folder `dir`. Names are compared, never used as
 * paths. Throws kernel_invalid.
 */
export async function unpackLayer(
  layer: string,
  { gzip, dir, signal }: { gzip: boolean; dir: string; signal?: AbortSignal | undefined },
): Promise<void> {
  const tar = extract();
  const steps = gzip
    ? ([createReadStream(layer), createGunzip(), tar] as const)
    : ([createReadStream(layer), tar] as const);
  const read = async (): Promise<void> => {
    for await (const entry of tar) {
      const name = entry.header.name.replace(/^(\.?\/)+/, '');
      const kept = entry.header.type === 'file' && Object.hasOwn(KEPT, name) ? KEPT[name] : undefined;
      if (kept === undefined) {
        entry.resume();
        continue;
      }
      if (entry.header.size > MAX_BYTES)
        throw new UnikError('kernel_invalid', `the package's ${kept} has ${entry.header.size} bytes`);
      await pipeline(entry, createWriteStream(join(dir, kept), { mode: 0o600 }));
    }
  };
  try {
    await Promise.all([
      pipeline(steps as unknown as [NodeJS.ReadableStream, NodeJS.WritableStream], signal ? { signal } : {}),
      read(),
    ]);
  } catch (err) {
    signal?.throwIfAborted();
    if (err instanceof UnikError) throw err;
    throw new UnikError('kernel_invalid', `a layer of the package cannot be read: ${messageOf(err)}`, { cause: err });
  }
}
