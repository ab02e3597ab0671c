import { gzipSync } from 'node:zlib';
import { UnikError } from '../../core/errors.js';

/**
 * An instance config as `carrier` takes at most `bytes` of it: as it is where that is small enough, else compressed.
 * Throws environment_too_large. Pure.
 */
export function userDataFor(config: string, { carrier, bytes }: { carrier: string; bytes: number }): Buffer {
  const plain = Buffer.from(config);
  if (plain.length <= bytes) return plain;
  const packed = gzipSync(plain, { level: 9 });
  if (packed.length <= bytes) return packed;
  const sizes = `${plain.length} bytes, compressed ${packed.length}`;
  throw new UnikError('environment_too_large', `environment and arguments take ${sizes}; ${carrier} carries ${bytes}`);
}
