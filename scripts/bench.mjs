/** `npm run bench -- NAME [--json] [...]`: one benchmark, ratios against its baseline in the same run. */
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { FOR_NODE } from './bundle.mjs';
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
  ...FOR_NODE,
});
const bench = spawn(process.execPath, [out, ...rest], { cwd: root, stdio: 'inherit' });
// It clears its machines away and ends.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => bench.kill(signal));
bench.on('exit', (code) => (process.exitCode = code ?? 1));
