/** `npm run bench -- NAME [--json] [...]`: one benchmark, ratios against its baseline in the same run. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root, setup } from './setup.mjs';

const [name, ...rest] = process.argv.slice(2);
const entry = join(root, 'bench', `${name}.ts`);
const names = readdirSync(join(root, 'bench'))
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.slice(0, -3));
if (!name || !existsSync(entry)) {
  console.error(`bench: name one of: ${names.join(', ')}`);
  process.exit(2);
}
await setup({ bench: true });
const esbuild = await import('esbuild');
const out = join(root, 'dist', 'bench', `${name}.mjs`);
mkdirSync(join(root, 'dist', 'bench'), { recursive: true });
await esbuild.build({
  entryPoints: [entry],
  outfile: out,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  logLevel: 'warning',
  banner: {
    js: "import { createRequire as unikRequire } from 'node:module'; const require = unikRequire(import.meta.url);",
  },
});
process.exitCode = spawnSync(process.execPath, [out, ...rest], { cwd: root, stdio: 'inherit' }).status ?? 1;
