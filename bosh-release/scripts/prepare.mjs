/** Fills src/ with what this repository makes: bundles, the guest's init, buildpack, lifecycle, plug-in, sample. */
import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from '../../scripts/build.mjs';
import { buildInit } from '../../scripts/guest-init.mjs';
import { packageBuildpack } from '../../scripts/package-buildpack.mjs';
import { packageLifecycle } from '../../scripts/package-lifecycle.mjs';

/** @param {{ root: string, release: string, say: (line: string) => void }} where the repository, bosh-release in it */
export async function prepareSources({ root, release, say }) {
  const src = join(release, 'src');
  rmSync(src, { recursive: true, force: true });
  const to = (...path) => join(src, ...path);
  mkdirSync(to('unik'), { recursive: true });
  say('bundling the program');
  await build();
  cpSync(join(root, 'bin'), to('unik/bin'), { recursive: true });
  // Maps are for those who develop; they would double the package.
  cpSync(join(root, 'dist'), to('unik/dist'), { recursive: true, filter: (file) => isProgramFile(root, file) });
  mkdirSync(to('unik/guest'), { recursive: true });
  cpSync(buildInit(root, say), to('unik/guest/init'));
  say('packing buildpack and lifecycle');
  // Staging on ordinary cells happens in a container that has no Node.js.
  await packageBuildpack({ withRuntime: true, out: to('unik-buildpack/unik_buildpack.zip') });
  await packageLifecycle({ withRuntime: true, out: to('unik-lifecycle/unik_app_lifecycle.tgz') });
  mkdirSync(to('unik-cf-plugin'), { recursive: true });
  if (existsSync(join(root, 'dist/cf-unik-plugin')))
    cpSync(join(root, 'dist/cf-unik-plugin'), to('unik-cf-plugin/cf-unik-plugin'));
  cpSync(join(root, 'samples/hello'), to('unik-smoke-tests/hello'), { recursive: true });
}

function isProgramFile(root, file) {
  if (file === join(root, 'dist')) return true;
  return /[/\\]unik[^/\\]*\.mjs$/.test(file);
}
