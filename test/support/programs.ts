/** Small programs, made by this host's compiler, that something is wrong with. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const NOTHING = 'int main(void) { return 0; }';

/** A program of a C source. */
export function compiled(source: string, ...options: string[]): Buffer {
  return inFolder((dir) => compileIn(dir, source, options));
}

/** One that needs a library that is not there. */
export function withoutLibrary(): Buffer {
  return inFolder((dir) => {
    const library = join(dir, 'libgone.so');
    execFileSync('gcc', ['-shared', '-fPIC', '-o', library, '-xc', '/dev/null']);
    return compileIn(dir, NOTHING, ['-Wl,--no-as-needed', library]);
  });
}

/** One with another processor in its header: that is what is looked at. */
export function forArm(): Buffer {
  const program = compiled(NOTHING);
  program.writeUInt16LE(183, 18);
  return program;
}

function compileIn(dir: string, source: string, options: readonly string[]): Buffer {
  const out = join(dir, 'program');
  execFileSync('gcc', ['-xc', '-', '-xnone', '-o', out, ...options], {
    input: source,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  return readFileSync(out);
}

function inFolder(make: (dir: string) => Buffer): Buffer {
  const dir = mkdtempSync(join(tmpdir(), 'unik-program-'));
  try {
    return make(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
