import { readFile } from 'node:fs/promises';
import type { z } from 'zod';
import { describeIssues } from './describe-issues.js';
import { hasCode, messageOf, UnikError } from './errors.js';

/** The JSON of a file that an operator writes; `absent` where there is none and that is well. Throws config_invalid naming the file. */
export async function readConfigFile(file: string, absent?: unknown): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as unknown;
  } catch (err) {
    if (absent !== undefined && hasCode(err, 'ENOENT')) return absent;
    throw new UnikError('config_invalid', `${file}: ${messageOf(err)}`, { cause: err });
  }
}

/** What a schema makes of it. Throws config_invalid naming file and keys, never a value. */
export function checkedConfig<S extends z.ZodType>(schema: S, value: unknown, file: string): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new UnikError('config_invalid', `${file}: ${describeIssues(result.error, 'the document')}`);
}
