/** What the contract suite wrote of each provider (test/support/case-report.ts), as a table: provider by case. */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './setup.mjs';

const folder = join(root, '.assets/provider-cases');

/** What an earlier run wrote must not be taken for this one's. */
export function clearCases() {
  rmSync(folder, { recursive: true, force: true });
}

/** Nothing where no suite has run. */
export function printCases() {
  const files = existsSync(folder) ? readdirSync(folder).sort() : [];
  if (files.length === 0) return;
  const columns = files.map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')));
  const names = files.map((file) => file.replace('.json', ''));
  console.log(`case | ${names.join(' | ')}\n${['---', ...names.map(() => '---')].join(' | ')}`);
  for (const name of new Set(columns.flatMap((column) => Object.keys(column))))
    console.log([name, ...columns.map((column) => column[name] ?? 'not run')].join(' | '));
}
