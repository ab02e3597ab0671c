/**
 * Bundles the command line and the daemon into dist/unik.mjs and its chunks, and the cf CLI's plugin into
 * dist/cf-unik-plugin: no node_modules at run time.
 */
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { FOR_NODE } from './bundle.mjs';
import { packageCfPlugin } from './package-cf-plugin.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

export async function build() {
  const esbuild = await import('esbuild');
  mkdirSync(join(root, 'dist'), { recursive: true });
  await esbuild.build({
    entryPoints: { unik: join(root, 'cli/main.ts') },
    outdir: join(root, 'dist'),
    outExtension: { '.js': '.mjs' },
    // The command line must start quickly: the daemon's part lies in files of its own, read only by the daemon.
    splitting: true,
    // Beside the entry, because what is shipped is found relative to the file that asks.
    chunkNames: 'unik-[name]-[hash]',
    // Names stay as they are: keeping those of shortened ones costs every function at run time, in time and memory.
    minifyWhitespace: true,
    minifySyntax: true,
    sourcemap: true,
    ...FOR_NODE,
  });
  await packageCfPlugin();
  cpSync(join(root, 'localcf/page/assets'), join(root, 'dist/page'), { recursive: true });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await build();
