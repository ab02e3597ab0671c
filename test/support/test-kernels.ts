import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** The folder of real kernels for library operating systems, one folder a guest; the project brings none. */
export const KERNELS = process.env['UNIK_TEST_KERNELS'];

if (KERNELS === undefined)
  process.stderr.write('skipped: UNIK_TEST_KERNELS names no folder with kernels of library operating systems\n');

/** Files and folders there for this guest. */
export function kernelsOf(guest: string): string[] {
  const dir = join(KERNELS ?? '', guest);
  if (KERNELS === undefined || !existsSync(dir)) return [];
  return readdirSync(dir)
    .sort()
    .map((name) => join(dir, name));
}
