/** Archives that staging works with. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import { execa } from 'execa';
import { writeZip, type ZipPart } from '../zip.js';
import { root } from '../unik.js';

/** An application folder, zipped as `cf push` uploads it, with some files more. */
export function zipOf(folder: string, more: readonly ZipPart[] = []): Promise<Buffer> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const parts = files.map((entry) => {
    const path = join(entry.parentPath, entry.name);
    const mode = 0o100000 | (statSync(path).mode & 0o777);
    return { name: relative(folder, path), content: readFileSync(path), mode };
  });
  return zipped([...parts, ...more]);
}

export async function zipped(parts: readonly ZipPart[]): Promise<Buffer> {
  const dir = await mkdtemp(join(tmpdir(), 'unik-zip-'));
  try {
    await writeZip(join(dir, 'a.zip'), parts);
    return await readFile(join(dir, 'a.zip'));
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** A lifecycle whose builder is this shell script. */
export async function scriptLifecycle(script: string): Promise<Buffer> {
  const tar = pack();
  tar.entry({ name: 'builder', mode: 0o755 }, `#!/bin/bash\n${script}\n`);
  tar.finalize();
  return gzipSync(await buffer(tar));
}

/** The lifecycle as it ships. */
export async function ownLifecycle(): Promise<Buffer> {
  const dir = await mkdtemp(join(tmpdir(), 'unik-lifecycle-'));
  try {
    const out = join(dir, 'lifecycle.tgz');
    await execa(process.execPath, [join(root, 'scripts/package-lifecycle.mjs'), '--out', out]);
    return await readFile(out);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
