/** docs/foundation.md says what the code says: messages, codes and their hints, properties, files, sizes. */
import { describe, expect, test } from '@jest/globals';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { parseCellConfig } from '../../backend/cell/config.js';
import { ERRORS, type ErrorCode } from '../../core/errors.js';
import { LINUX_OVERHEAD_MB } from '../../executor/guests/linux/index.js';
import { QEMU_OVERHEAD_MB } from '../../executor/providers/qemu/qemu.js';

const root = join(import.meta.dirname, '../..');
const guide = readFileSync(join(root, 'docs/foundation.md'), 'utf8');
const quotes = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, quote = '']) => quote);
const read = (file: string): string => readFileSync(join(root, file), 'utf8');

const rows = guide
  .split('\n')
  .filter((line) => /^\| \d+ \|/.test(line))
  .map((line) => line.split('|').slice(1, -1))
  .map(([number = '', seen = '', code = '', from = '', what = '', remedy = '']) => ({
    ...{ number: Number(number), seen, code, from, what: what.trim(), remedy: remedy.trim() },
  }));
const codes = [...new Set(rows.flatMap(({ code }) => quotes(code)))].sort();

test('there are twenty', () => {
  expect(rows.map(({ number }) => number)).toEqual(Array.from({ length: 20 }, (_, at) => at + 1));
});

describe.each(rows)('$number: $seen', ({ seen, code, from, what, remedy }) => {
  const [file = '', ...more] = quotes(from);

  test('is quoted as the named file says it', () => {
    const [message = ''] = quotes(seen);
    expect(more).toEqual([]);
    const text = read(file);
    const fragments = message.split('...').filter((fragment) => fragment.trim() !== '');
    expect(fragments.length).toBeGreaterThan(0);
    for (const fragment of fragments) expect(text).toContain(fragment);
  });

  test('its code is of the table, and of a file that knows it', () => {
    for (const name of quotes(code)) expect(Object.keys(ERRORS)).toContain(name);
    const [own] = quotes(code);
    if (own !== undefined && file !== 'stager/suitability/judge.ts') expect(read(file)).toContain(`'${own}'`);
  });

  test('says what it is and what to do', () => {
    expect(what.length).toBeGreaterThan(3);
    expect(remedy.length).toBeGreaterThan(3);
  });
});

test('hints stand as the table of errors has them', () => {
  const lines = codes.map((code) => {
    const { owner, hint } = ERRORS[code as ErrorCode];
    return `| \`${code}\` | ${owner} | ${hint} |`;
  });
  expect(guide).toContain(`| code | who can mend it | hint |\n|---|---|---|\n${lines.join('\n')}\n`);
});

test('properties, operations files and other files that it names are there', () => {
  const jobs = join(root, 'bosh-release/jobs');
  const specs = readdirSync(jobs).map((job) => parse(readFileSync(join(jobs, job, 'spec'), 'utf8')) as Spec);
  const properties = specs.flatMap((spec) => Object.keys(spec.properties));
  const named = quotes(guide.replace(/^```.*?^```$/gms, ''));
  const asked = named.filter((name) => /^(unik|diego|loggregator|tls)\.[a-z][a-z_.]*$/.test(name.split(':')[0] ?? ''));
  expect(asked.length).toBeGreaterThan(5);
  const unknown = asked
    .map((text) => text.split(':')[0] ?? '')
    .filter((name) => !properties.some((property) => property === name || property.startsWith(`${name}.`)));
  expect(unknown).toEqual([]);
  const operations = readdirSync(join(root, 'manifests/operations'));
  const mentioned = named.filter((name) => /^[a-z-]+\.yml$/.test(name) && name !== 'windows2019-cell.yml');
  expect([...new Set(mentioned)].sort()).toEqual(operations.sort());
  for (const path of named.filter((name) => /^(manifests|bosh-release|docs|test)\/\S+$/.test(name)))
    expect(`${path} ${existsSync(join(root, path))}`).toBe(`${path} true`);
});

test('sizes and times are those of the code', () => {
  expect(guide).toContain(`${LINUX_OVERHEAD_MB.vmlinuz} MB for the Linux kernel`);
  expect(guide).toContain(`${QEMU_OVERHEAD_MB} MB for QEMU`);
  const example: unknown = JSON.parse(read('manifests/cell.example.json'));
  const { locket } = parseCellConfig(example, 'cell.example.json');
  expect(locket.lock_ttl).toBe(15_000);
  expect(guide).toContain('it lapses in 15 s');
});

interface Spec {
  properties: Record<string, unknown>;
}
