/**
 * `node scripts/disk-loader.mjs`: assembles executor/disks/loader.S and writes its bytes to loader-code.ts, where a
 * cell without an assembler finds them. test/unit/disks/loader.test.ts tells when they no longer belong together.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../executor/disks/', import.meta.url));

/** @returns {{ mbr: Buffer, loader: Buffer }} */
export function assemble() {
  const work = mkdtempSync(join(tmpdir(), 'unik-loader-'));
  const out = (name) => join(work, name);
  try {
    execFileSync('gcc', ['-m32', '-c', join(folder, 'loader.S'), '-o', out('o')]);
    execFileSync('ld', ['-m', 'elf_i386', '-T', join(folder, 'loader.ld'), '-o', out('elf'), out('o')]);
    for (const part of ['mbr', 'loader'])
      execFileSync('objcopy', ['-O', 'binary', '-j', `.${part}`, out('elf'), out(part)]);
    return { mbr: readFileSync(out('mbr')), loader: readFileSync(out('loader')) };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { mbr, loader } = assemble();
  const text = [mbr, loader].map((bytes) => bytes.toString('base64').match(/.{1,100}/g));
  const constant = (name, lines) => `export const ${name} =\n${lines.map((line) => `  '${line}'`).join(' +\n')};\n`;
  writeFileSync(
    join(folder, 'loader-code.ts'),
    `/** Made of loader.S by scripts/disk-loader.mjs. */\n${constant('MBR', text[0])}${constant('LOADER', text[1])}`,
  );
}
