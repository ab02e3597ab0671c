import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execa } from 'execa';
import fc from 'fast-check';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../../..');
const INIT = join(ROOT, 'executor/guests/linux/init');

let dir: string;
let reader: string;

/** Init's JSON reader on this host, with a checker for every access to memory. */
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'unik-json-'));
  reader = join(dir, 'json-echo');
  const sources = [join(ROOT, 'test/fixtures/guest/json-echo.c'), join(INIT, 'json.c')];
  await execa('gcc', ['-fsanitize=address,undefined', '-Wall', '-Wextra', `-I${INIT}`, ...sources, '-o', reader]);
}, 60_000);
afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

async function read(lines: string[]): Promise<string[]> {
  const { stdout } = await execa(reader, { input: lines.map((line) => `${line}\n`).join('') });
  return stdout.split('\n');
}

/** What json-echo prints for a value. */
function shown(value: unknown): string {
  if (value === null) return 'z';
  if (typeof value === 'boolean') return `n${Number(value)}`;
  if (typeof value === 'number') return `i${Math.trunc(value) + 0}`;
  if (typeof value === 'string') return `s${Buffer.from(value).toString('hex')}`;
  if (Array.isArray(value)) return `a(${value.map((item) => `${shown(item)},`).join('')})`;
  const members = Object.entries(value as object);
  return `o(${members.map(([key, item]) => `${Buffer.from(key).toString('hex')}:${shown(item)},`).join('')})`;
}

test('what JSON.stringify writes is read as it was', async () => {
  const text = fc.string({ unit: 'binary' });
  const key = text.filter((name) => !name.includes('\0') && name !== '__proto__');
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.oneof(text, fc.integer(), fc.boolean(), fc.constant(null)),
      fc.array(tie('value'), { maxLength: 5 }),
      fc.dictionary(key, tie('value'), { maxKeys: 5 }),
    ),
  }));
  const values = fc.sample(value, 2000).map((sample) => JSON.parse(JSON.stringify(sample)) as unknown);
  expect(await read(values.map((sample) => JSON.stringify(sample)))).toEqual(values.map(shown));
});

test('escapes and spaces that JSON.stringify does not write are read too', async () => {
  const lines = [
    '"\\u00e9\\ud83d\\ude00\\/\\b\\f"',
    ' { "a" : [ 1 , -2.5e3 , true ] } ',
    '"\\ud83d"',
    '"\\ude00x"',
    '"\\u0000"',
  ];
  const lone = Buffer.from('\ufffd').toString('hex');
  expect(await read(lines)).toEqual([shown('é😀/\b\f'), `o(61:a(i1,i-2,n1,),)`, `s${lone}`, `s${lone}78`, 's00']);
});

test('what is no JSON is told', async () => {
  const broken = [
    '',
    '{',
    '[1,]',
    '{"a"}',
    '{"a":1',
    '"x',
    '"\\x"',
    '"\\u12g4"',
    '"\\',
    'nul',
    '1 2',
    '-',
    '{1:2}',
    '[',
    ']',
    '"\t"',
  ];
  expect(await read([...broken, '['.repeat(500)])).toEqual(Array.from({ length: broken.length + 1 }, () => 'broken'));
});

test('a document that is cut off anywhere is told', async () => {
  const whole = JSON.stringify({ argv: ['a\n"é😀'], env: { A: '\\' }, n: [1, null, false] });
  const cuts = Array.from({ length: whole.length - 1 }, (_, index) => whole.slice(0, index + 1));
  expect(await read(cuts)).toEqual(cuts.map(() => 'broken'));
});
