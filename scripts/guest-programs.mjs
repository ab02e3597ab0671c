/**
 * Compiles our programs without a C library and writes them, as text, beside their sources: images are made where there is no
 * compiler. Run it after a change of the sources; a test compiles them again and compares.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const START = join(root, 'executor/guests/unikraft/launch/start.S');
/** Folder of the sources, file of the text, name of what it exports. */
const PROGRAMS = {
  launcher: ['executor/guests/unikraft/launch', 'executor/guests/unikraft/launch-code.ts', 'LAUNCHER'],
  static: ['stager/toolchains/static-server', 'stager/toolchains/static-server-code.ts', 'STATIC_SERVER'],
  settle: ['executor/guests/osv/settle', 'executor/guests/osv/settle-code.ts', 'SETTLE'],
};
const FLAGS = [
  ...['-std=gnu11', '-Os', '-Wall', '-Wextra', '-Werror', '-Wno-implicit-fallthrough', '-ffreestanding'],
  ...['-fno-stack-protector', '-fno-asynchronous-unwind-tables', '-fcf-protection=none', '-fvisibility=hidden'],
  ...['-mgeneral-regs-only', '-nostdlib', '-s', '-Wl,-z,norelro', '-Wl,-z,noseparate-code', '-Wl,--build-id=none'],
];
/** Started by a kernel; those that the kernel links to itself are another kind. */
const PROGRAM = ['-fPIE', '-static-pie', '-Wl,--no-dynamic-linker', START];
const LINKED = ['-fPIC', '-shared'];

/**
 * A program's bytes.
 * @param {keyof typeof PROGRAMS} name
 */
export function compileProgram(name) {
  const sources = join(root, PROGRAMS[name][0]);
  const dir = mkdtempSync(join(tmpdir(), 'unik-program-'));
  try {
    const files = readdirSync(sources).filter((file) => /\.[cS]$/.test(file) && file !== 'start.S');
    execFileSync('gcc', [...FLAGS, ...(name === 'settle' ? LINKED : PROGRAM), ...files.sort(), '-o', join(dir, name)], {
      cwd: sources,
      stdio: 'inherit',
    });
    return readFileSync(join(dir, name));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

export function compilerVersion() {
  return execFileSync('gcc', ['-dumpfullversion', '-dumpmachine'], { encoding: 'utf8' }).trim().replace('\n', ' ');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, [sources, output, constant]] of Object.entries(PROGRAMS)) {
    const lines =
      compileProgram(name)
        .toString('base64')
        .match(/.{1,110}/g) ?? [];
    const text = [
      `/** Made by \`scripts/guest-programs.mjs\` from \`${sources}\`: change that, not this. */`,
      `export const ${constant}_COMPILER = '${compilerVersion()}';`,
      '',
      `export const ${constant}_BASE64 = [`,
      ...lines.map((line) => `  '${line}',`),
      "].join('');",
      '',
    ].join('\n');
    writeFileSync(join(root, output), text);
    console.log(output);
  }
}
