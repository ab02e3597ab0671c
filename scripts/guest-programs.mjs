/**
 * Compiles `executor/guests/unikraft/launch` and writes it, as text, to `executor/guests/unikraft/launch-code.ts`: images are
 * made where there is no compiler. Run it after a change of the sources; a test compiles them again and compares.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const SOURCES = join(root, 'executor/guests/unikraft/launch');
const OUTPUT = join(root, 'executor/guests/unikraft/launch-code.ts');
const FLAGS = [
  ...['-std=gnu11', '-Os', '-Wall', '-Wextra', '-Werror', '-Wno-implicit-fallthrough', '-ffreestanding'],
  ...['-fno-stack-protector', '-fno-asynchronous-unwind-tables', '-fcf-protection=none', '-fvisibility=hidden'],
  ...['-mgeneral-regs-only', '-fPIE', '-static-pie', '-nostdlib', '-s'],
  ...['-Wl,--no-dynamic-linker', '-Wl,-z,norelro', '-Wl,-z,noseparate-code', '-Wl,--build-id=none'],
];

/** The program's bytes. */
export function compileLauncher() {
  const dir = mkdtempSync(join(tmpdir(), 'unik-launch-'));
  try {
    const files = readdirSync(SOURCES).filter((name) => /\.[cS]$/.test(name));
    execFileSync('gcc', [...FLAGS, ...files.sort(), '-o', join(dir, 'launch')], { cwd: SOURCES, stdio: 'inherit' });
    return readFileSync(join(dir, 'launch'));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

export function compilerVersion() {
  return execFileSync('gcc', ['-dumpfullversion', '-dumpmachine'], { encoding: 'utf8' }).trim().replace('\n', ' ');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const lines =
    compileLauncher()
      .toString('base64')
      .match(/.{1,110}/g) ?? [];
  const text = [
    '/** Made by `scripts/guest-programs.mjs` from `launch/`: change that, not this. */',
    `export const LAUNCHER_COMPILER = '${compilerVersion()}';`,
    '',
    'export const LAUNCHER_BASE64 = [',
    ...lines.map((line) => `  '${line}',`),
    "].join('');",
    '',
  ].join('\n');
  writeFileSync(OUTPUT, text);
  console.log(OUTPUT);
}
