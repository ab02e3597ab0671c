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
const FLAGS = [
  ...['-std=gnu11', '-Os', '-Wall', '-Wextra', '-Werror', '-Wno-implicit-fallthrough', '-ffreestanding'],
  ...['-fno-stack-protector', '-fno-asynchronous-unwind-tables', '-fvisibility=hidden', '-mgeneral-regs-only'],
  ...['-nostdlib', '-s', '-Wl,-z,norelro', '-Wl,-z,noseparate-code', '-Wl,--build-id=none'],
];
const X86 = ['-fcf-protection=none'];
/** Started by a kernel; those that the kernel links to itself are another kind. */
const PROGRAM = ['-fPIE', '-static-pie', '-Wl,--no-dynamic-linker'];
const LINKED = ['-fPIC', '-shared'];
const STATIC_SERVER = 'stager/toolchains/static-server';
/** Folder of the sources, file of the text, name of what it exports, compiler and its flags. */
const PROGRAMS = {
  launcher: {
    ...{ sources: 'executor/guests/unikraft/launch', text: 'executor/guests/unikraft/launch-code.ts' },
    ...{ constant: 'LAUNCHER', compiler: 'gcc', flags: [...X86, ...PROGRAM, START] },
  },
  static: {
    ...{ sources: STATIC_SERVER, text: `${STATIC_SERVER}-code.ts` },
    ...{ constant: 'STATIC_SERVER', compiler: 'gcc', flags: [...X86, ...PROGRAM, START] },
  },
  'static-arm64': {
    ...{ sources: STATIC_SERVER, text: `${STATIC_SERVER}-arm64-code.ts` },
    ...{ constant: 'STATIC_SERVER_ARM64', compiler: 'aarch64-linux-gnu-gcc', flags: PROGRAM },
  },
  settle: {
    ...{ sources: 'executor/guests/osv/settle', text: 'executor/guests/osv/settle-code.ts' },
    ...{ constant: 'SETTLE', compiler: 'gcc', flags: [...X86, ...LINKED] },
  },
};

/**
 * A program's bytes.
 * @param {keyof typeof PROGRAMS} name
 */
export function compileProgram(name) {
  const { sources, compiler, flags } = PROGRAMS[name];
  const cwd = join(root, sources);
  const dir = mkdtempSync(join(tmpdir(), 'unik-program-'));
  try {
    const files = readdirSync(cwd).filter((file) => /\.[cS]$/.test(file) && file !== 'start.S');
    execFileSync(compiler, [...FLAGS, ...flags, ...files.sort(), '-o', join(dir, name)], { cwd, stdio: 'inherit' });
    return readFileSync(join(dir, name));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** @param {keyof typeof PROGRAMS} name */
export function compilerVersion(name) {
  const said = execFileSync(PROGRAMS[name].compiler, ['-dumpfullversion', '-dumpmachine'], { encoding: 'utf8' });
  return said.trim().replace('\n', ' ');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, { sources, text, constant }] of Object.entries(PROGRAMS)) {
    const lines =
      compileProgram(name)
        .toString('base64')
        .match(/.{1,110}/g) ?? [];
    const code = [
      `/** Made by \`scripts/guest-programs.mjs\` from \`${sources}\`: change that, not this. */`,
      `export const ${constant}_COMPILER = '${compilerVersion(name)}';`,
      '',
      `export const ${constant}_BASE64 = [`,
      ...lines.map((line) => `  '${line}',`),
      "].join('');",
      '',
    ].join('\n');
    writeFileSync(join(root, text), code);
    console.log(text);
  }
}
