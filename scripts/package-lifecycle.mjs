/**
 * `npm run package:lifecycle [-- --with-runtime] [--out FILE]`: dist/unik_app_lifecycle.tgz with builder, launcher and
 * healthcheck, and our buildpack for stacks that have none of their own. The same sources give the same bytes.
 */
import { chmodSync, cpSync, createWriteStream, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { bundle } from './bundle.mjs';
import { buildpackFolder } from './package-buildpack.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const PROGRAMS = ['builder', 'launcher', 'healthcheck'];

/** The unpacked lifecycle, in the folder `into`. */
export async function lifecycleFolder(into, { withRuntime = false } = {}) {
  mkdirSync(into, { recursive: true });
  for (const name of PROGRAMS) {
    await bundle(name, `stager/lifecycle/${name}.ts`, join(into, 'lib'));
    writeFileSync(join(into, name), launcherOf(name));
    chmodSync(join(into, name), 0o755);
  }
  await buildpackFolder(join(into, 'buildpack'), { withRuntime });
  cpSync(join(root, 'LICENSE'), join(into, 'LICENSE'));
}

/** Node.js is found as the buildpack finds it. */
const launcherOf = (name) => `#!/bin/sh
here=$(cd "$(dirname "$0")" && pwd) || exit 1
UNIK_LIB="$here/lib" exec "$here/buildpack/bin/run" ${name} "$@"
`;

/** Gives the path of the tar file. */
export async function packageLifecycle({ withRuntime = false, out = 'dist/unik_app_lifecycle.tgz' } = {}) {
  const file = resolve(root, out);
  mkdirSync(dirname(file), { recursive: true });
  mkdirSync(join(root, 'dist'), { recursive: true });
  const dir = mkdtempSync(join(root, 'dist/lifecycle-'));
  try {
    await lifecycleFolder(join(dir, 'tree'), { withRuntime });
    await bundle('tar', 'stager/pack-tar.ts', join(dir, 'tools'));
    const { packTar } = await import(pathToFileURL(join(dir, 'tools/tar.mjs')).href);
    await packTar([{ name: '.', dir: join(dir, 'tree') }], createWriteStream(file), { mtime: new Date(0) });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  return file;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values } = parseArgs({ options: { 'with-runtime': { type: 'boolean' }, out: { type: 'string' } } });
  const file = await packageLifecycle({ withRuntime: values['with-runtime'], out: values.out });
  console.log(`${file} ${(statSync(file).size / 1e6).toFixed(1)} MB`);
}
