import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execa } from 'execa';
import fc from 'fast-check';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { constants, gzipSync } from 'node:zlib';

const ROOT = join(import.meta.dirname, '../../..');
const INIT = join(ROOT, 'executor/guests/linux/init');

let dir: string;
let reader: string;

/** Init's unpacker on this host, with a checker for every access to memory. */
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'unik-inflate-'));
  reader = join(dir, 'gunzip-echo');
  const sources = [join(ROOT, 'test/fixtures/guest/gunzip-echo.c'), join(INIT, 'inflate.c')];
  await execa('gcc', ['-fsanitize=address,undefined', '-Wall', '-Wextra', `-I${INIT}`, ...sources, '-o', reader]);
}, 60_000);
afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

/** What each unpacks to; undefined: it was refused. */
async function unpack(records: readonly Buffer[]): Promise<(string | undefined)[]> {
  const input = Buffer.concat(
    records.flatMap((record) => {
      const head = Buffer.alloc(4);
      head.writeUInt32LE(record.length);
      return [head, record];
    }),
  );
  const { stdout } = await execa(reader, { input });
  return stdout.split('\n').map((line) => (line === '-' ? undefined : Buffer.from(line, 'hex').toString()));
}

const texts = fc.sample(
  fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 2_000 }).filter((text) => !text.includes('\0')),
    fc.tuple(fc.string({ unit: 'grapheme-ascii', maxLength: 40 }), fc.nat(3_000)).map(([one, n]) => one.repeat(n)),
    fc.array(fc.integer(), { maxLength: 4_000 }).map((numbers) => JSON.stringify(numbers)),
  ),
  { numRuns: 200, seed: 11 },
);

test.each([
  ['stored', { level: 0 }],
  ['fastest', { level: 1 }],
  ['smallest', { level: 9 }],
  ['with fixed codes', { strategy: constants.Z_FIXED }],
  ['without repeats', { strategy: constants.Z_HUFFMAN_ONLY }],
])('what gzip packed %s is unpacked as it was', async (_how, options) => {
  expect(await unpack(texts.map((text) => gzipSync(text, options)))).toEqual(texts);
});

test('what is damaged, cut off or lies about its size is refused or differs, and reads nothing that is not there', async () => {
  const whole = gzipSync(JSON.stringify(fc.sample(fc.integer(), { numRuns: 300, seed: 5 })));
  const cut = Array.from({ length: whole.length }, (_, at) => whole.subarray(0, at));
  const damaged = fc
    .sample(fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 })), { numRuns: 2_000, seed: 6 })
    .map(([at, by]) => {
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes[at] ?? 0) ^ by;
      return bytes;
    });
  expect(new Set(await unpack(cut))).toEqual(new Set([undefined]));
  expect(await unpack(damaged)).toHaveLength(damaged.length);
  const huge = Buffer.from(whole);
  huge.writeUInt32LE(0xffff_ffff, huge.length - 4);
  expect(await unpack([huge, whole.subarray(2), Buffer.alloc(0)])).toEqual([undefined, undefined, undefined]);
});
