/**
 * `npm run package:cf-plugin`: dist/cf-unik-plugin, for `cf install-plugin`. The CLI copies that file alone and under
 * another name, so it is one file, and CommonJS: nothing beside it could say that it is anything else.
 */
import { chmodSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Gives the file's path. */
export async function packageCfPlugin(outfile = join(root, 'dist/cf-unik-plugin')) {
  const esbuild = await import('esbuild');
  mkdirSync(dirname(outfile), { recursive: true });
  await esbuild.build({
    absWorkingDir: root,
    entryPoints: ['cli/cf-plugin/main.ts'],
    outfile,
    bundle: true,
    minify: true,
    keepNames: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    logLevel: 'warning',
    banner: { js: '#!/usr/bin/env node' },
  });
  chmodSync(outfile, 0o755);
  return outfile;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) console.log(await packageCfPlugin());
