import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const BIG_FILES = 20;
const SMALL_FILES = 9000;
const FILES_PER_PACKAGE = 30;

/**
 * Writes a Node.js application of `megabytes` MB as npm leaves one: half of it in many small files, most of them under
 * a block, half in a few big ones. The same bytes each time. Gives the number of files.
 */
export function generateApp(dir: string, megabytes: number): number {
  const half = (megabytes * 1_000_000) / 2;
  const random = randomBytes(1);
  write(dir, 'package.json', '{"name":"generated","version":"1.0.0","scripts":{"start":"node server.js"}}\n');
  write(dir, 'server.js', "require('node:http').createServer((q, r) => r.end('hello\\n')).listen(process.env.PORT);\n");
  for (let i = 0; i < SMALL_FILES; i++) {
    // From nothing to four times the mean, many small and few big.
    const share = (i % 100) / 100;
    const bytes = Math.round((half / SMALL_FILES) * 4 * share ** 3);
    const folder = join(
      'node_modules',
      `package-${Math.floor(i / FILES_PER_PACKAGE)}`,
      i % 3 === 0 ? 'lib' : 'dist/cjs',
    );
    write(dir, join(folder, `file-${i}.js`), random(bytes));
  }
  for (let i = 0; i < BIG_FILES; i++) write(dir, `node_modules/big-${i}/bundle.js`, random(half / BIG_FILES));
  return SMALL_FILES + BIG_FILES + 2;
}

function write(dir: string, path: string, content: string | Uint8Array): void {
  const full = join(dir, path);
  mkdirSync(join(full, '..'), { recursive: true });
  writeFileSync(full, content);
}

/** A stream of bytes that is the same each time (xorshift), so that nothing is found twice or compresses. */
function randomBytes(seed: number): (bytes: number) => Uint8Array {
  let state = seed;
  return (bytes) => {
    const words = new Uint32Array(Math.ceil(bytes / 4));
    for (let i = 0; i < words.length; i++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      words[i] = state >>> 0;
    }
    return new Uint8Array(words.buffer, 0, Math.floor(bytes));
  };
}
