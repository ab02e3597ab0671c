/** Bundles one entry into one file that needs no node_modules. */
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** What every bundle of ours is: one that Node runs as it is. */
export const FOR_NODE = {
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  logLevel: 'warning',
  // CommonJS dependencies call require() inside the bundle.
  banner: {
    js: "import { createRequire as unikRequire } from 'node:module'; const require = unikRequire(import.meta.url);",
  },
};

/** `entry` and the paths in `outdir` are relative to the repository; the file is `<outdir>/<name>.mjs`. */
export async function bundle(name, entry, outdir) {
  const esbuild = await import('esbuild');
  await esbuild.build({
    absWorkingDir: root,
    entryPoints: { [name]: entry },
    outdir,
    outExtension: { '.js': '.mjs' },
    minify: true,
    keepNames: true,
    ...FOR_NODE,
  });
}
