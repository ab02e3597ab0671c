import { execa } from 'execa';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../../core/errors.js';

/** Command lines of all processes of this host, which everybody may read. */
export async function commandLines(): Promise<string> {
  return (await execa('ps', ['-eo', 'args'])).stdout;
}

/** All files below a folder, byte by byte; those whose paths `except` matches are not ours to tell. */
export async function textsBelow(dir: string, except = /\.raw$/): Promise<string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const texts: string[] = [];
  for (const path of paths.filter((one) => !except.test(one))) {
    // What went while we read is told to nobody.
    const text = await readFile(path, 'latin1').catch((err: unknown) => {
      if (!hasCode(err, 'ENOENT')) throw err;
      return undefined;
    });
    if (text !== undefined) texts.push(text);
  }
  return texts;
}
