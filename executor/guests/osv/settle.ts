import { UnikError } from '../../../core/errors.js';
import { SETTLE_BASE64 } from './settle-code.js';

/** In the image: the program that sets the variables before the application starts. */
export const SETTLE_PATH = '/.unik/settle.so';
/** Where the variables lie on the disk, and how much room there is; `settle/settle.c` knows both. */
export const SETTINGS_AT = 1024 * 1024;
export const SETTINGS_BYTES = 512 * 1024;

/** The compiled `settle/`. */
export function settleProgram(): Buffer {
  return Buffer.from(SETTLE_BASE64, 'base64');
}

/** Variables as `settle/settle.c` reads them. Throws environment_too_large. */
export function encodeSettings(env: Readonly<Record<string, string>>): Buffer {
  const text = Object.entries(env).map(([name, value]) => `${name}=${value}\0`);
  const bytes = Buffer.from(`UNK1${text.join('')}`);
  if (bytes.length + 2 > SETTINGS_BYTES) {
    throw new UnikError(
      'environment_too_large',
      `the environment takes ${bytes.length} bytes, the guest osv takes ${SETTINGS_BYTES}`,
    );
  }
  const area = Buffer.alloc(SETTINGS_BYTES);
  bytes.copy(area);
  return area;
}
