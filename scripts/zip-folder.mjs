/** Writes a folder as a zip file: sorted, one time for all, so that the same files give the same bytes. */
import { createWriteStream, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ZipFile } from 'yazl';

/** The first day that a zip file can name, in local time as the format has it: the same bytes in every zone. */
const MTIME = new Date(1980, 0, 1);

export async function zipFolder(dir, file) {
  const zip = new ZipFile();
  const options = { mtime: MTIME, forceDosTimestamp: true };
  const add = (folder, name) => {
    for (const child of readdirSync(folder).sort()) {
      const path = join(folder, child);
      const stats = statSync(path);
      if (stats.isDirectory()) add(path, `${name}${child}/`);
      else zip.addFile(path, name + child, { ...options, mode: (stats.mode & 0o100) === 0 ? 0o100644 : 0o100755 });
    }
  };
  add(dir, '');
  zip.end();
  await pipeline(zip.outputStream, createWriteStream(file));
}
