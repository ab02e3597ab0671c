import { readFile } from 'node:fs/promises';
import type { z } from 'zod';
import { messageOf, UnikError } from '../../core/errors.js';

/** Secrets that an operator wrote down as JSON. `needs`: names of what must be there. Throws config_invalid, quoting nothing of it. */
export async function readCredentials<S extends z.ZodType>(
  path: string,
  schema: S,
  needs: string,
): Promise<z.output<S>> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, 'utf8'));
  } catch (err) {
    // A parser's message quotes what it read.
    const why = err instanceof SyntaxError ? 'it is no JSON' : messageOf(err);
    throw new UnikError('config_invalid', `credentials_file ${path}: ${why}`);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new UnikError('config_invalid', `credentials_file ${path}: ${needs} is missing`);
}
