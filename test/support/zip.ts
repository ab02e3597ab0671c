import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { ZipFile } from 'yazl';

export interface ZipPart {
  name: string;
  content: string | Buffer;
  /** With the kind of file in it, such as 0o120777 for a symlink. Default: a plain file. */
  mode?: number;
}

/** A zip file of these entries. Names that a writer would refuse (`../x`) are patched into the bytes. */
export async function writeZip(file: string, parts: readonly ZipPart[]): Promise<void> {
  const zip = new ZipFile();
  const patches: [from: string, to: string][] = [];
  for (const { name, content, mode = 0o100644 } of parts) {
    const safe = name.replace(/\.\.\//g, 'zz/').padEnd(name.length, '_');
    if (name.includes('../')) patches.push([safe, name]);
    zip.addBuffer(Buffer.from(content), safe, { mode, mtime: new Date(1980, 0, 1) });
  }
  zip.end();
  const chunks: Buffer[] = [];
  for await (const chunk of zip.outputStream as AsyncIterable<Buffer>) chunks.push(chunk);
  let text = Buffer.concat(chunks).toString('latin1');
  for (const [from, to] of patches) text = text.replaceAll(from, to);
  await pipeline([Buffer.from(text, 'latin1')], createWriteStream(file));
}
