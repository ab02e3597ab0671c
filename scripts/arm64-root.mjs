/**
 * `node scripts/arm64-root.mjs FOLDER [PACKAGE...]`: unpacks Debian's packages for arm64, with all they depend on, to a
 * folder for UNIK_ARM64_ROOT. Without names: those of Node.js and Python. Nothing is installed. Node built-ins only.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { foreignApt } from './guest-init.mjs';

const RUNTIMES = ['nodejs', 'python3-minimal', 'libpython3-stdlib'];

const [folder, ...names] = process.argv.slice(2);
if (folder === undefined) {
  process.stderr.write('usage: node scripts/arm64-root.mjs FOLDER [PACKAGE...]\n');
  process.exit(2);
}
const into = resolve(folder);
const work = mkdtempSync(join(tmpdir(), 'unik-arm64-'));
try {
  // apt's own user must be able to write there when we are root.
  chmodSync(work, 0o777);
  const apt = foreignApt('arm64', work, console.log);
  const wanted = names.length > 0 ? names : RUNTIMES;
  const plan = run('apt-get', [...apt, 'install', '--no-install-recommends', '--print-uris', '-qq', '-y', ...wanted]);
  // 'URL' NAME_VERSION_PROCESSOR.deb SIZE HASH
  const all = [...plan.matchAll(/^'\S+' ([a-z0-9+.-]+)_\S+\.deb /gm)].map(([, name]) => name);
  console.log(`downloading ${all.length} packages`);
  run('apt-get', [...apt, 'download', '-q', ...all]);
  mkdirSync(into, { recursive: true });
  for (const file of readdirSync(work).filter((name) => name.endsWith('.deb')))
    run('dpkg-deb', ['-x', join(work, file), into]);
} finally {
  rmSync(work, { recursive: true, force: true });
}

function run(command, args) {
  return execFileSync(command, args, { cwd: work, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}
