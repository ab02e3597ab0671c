/**
 * `npm run package:buildpack [-- --with-runtime] [--out FILE]`: dist/unik_buildpack-v<version>.zip (with the runtime:
 * dist/unik_buildpack-with-runtime-v<version>.zip). The same sources give the same bytes.
 */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { addRuntime } from './buildpack-runtime.mjs';
import { bundle } from './bundle.mjs';
import { zipFolder } from './zip-folder.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const STEPS = ['detect', 'supply', 'finalize', 'release'];

/** The unpacked buildpack, in the folder `into`. */
export async function buildpackFolder(into, { withRuntime = false } = {}) {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  mkdirSync(into, { recursive: true });
  cpSync(join(root, 'buildpack/bin'), join(into, 'bin'), { recursive: true });
  cpSync(join(root, 'buildpack/manifest.yml'), join(into, 'manifest.yml'));
  cpSync(join(root, 'LICENSE'), join(into, 'LICENSE'));
  writeFileSync(join(into, 'VERSION'), version);
  for (const step of STEPS) await bundle(step, `buildpack/src/${step}.ts`, join(into, 'lib'));
  if (withRuntime) await addRuntime(join(into, 'runtime'));
}

/** Gives the zip file's path. */
export async function packageBuildpack({ withRuntime = false, out } = {}) {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const file = resolve(root, out ?? `dist/unik_buildpack-${withRuntime ? 'with-runtime-' : ''}v${version}.zip`);
  mkdirSync(dirname(file), { recursive: true });
  mkdirSync(join(root, 'dist'), { recursive: true });
  const dir = mkdtempSync(join(root, 'dist/buildpack-'));
  try {
    await buildpackFolder(dir, { withRuntime });
    await zipFolder(dir, file);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  return file;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values } = parseArgs({ options: { 'with-runtime': { type: 'boolean' }, out: { type: 'string' } } });
  const file = await packageBuildpack({ withRuntime: values['with-runtime'], out: values.out });
  console.log(`${file} ${(statSync(file).size / 1e6).toFixed(1)} MB`);
}
