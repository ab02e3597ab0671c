import { parseArgs, type ParseArgsConfig } from 'node:util';
import { messageOf, UnikError } from '../../core/errors.js';

/**
 * Flags as the lifecycle's programs take them: `-name=value`, `-name value`, and `-name` or `-name=false` for
 * booleans, with one dash or two. Throws usage.
 */
export function parseFlags<B extends string, T extends string>(
  argv: readonly string[],
  kinds: { booleans: readonly B[]; texts: Readonly<Record<T, string>> },
): { booleans: Record<B, boolean>; texts: Record<T, string>; rest: string[] } {
  const isBoolean = (name: string): boolean => (kinds.booleans as readonly string[]).includes(name);
  const booleans = Object.fromEntries(kinds.booleans.map((name) => [name, false])) as Record<B, boolean>;
  // A boolean takes its value only after `=`, which parseArgs does not know.
  const args = argv.flatMap((arg) => {
    const [, name, value] = /^--?([A-Za-z][\w-]*)(?:=(.*))?$/s.exec(arg) ?? [];
    if (name === undefined || !isBoolean(name)) return [arg.replace(/^-(?=[A-Za-z]{2})/, '--')];
    if (value !== undefined && !/^(true|false|1|0|t|f)$/i.test(value)) {
      throw new UnikError('usage', `-${name}=${value}: true or false is expected`);
    }
    booleans[name as B] = value === undefined || /^(true|1|t)$/i.test(value);
    return [];
  });
  const options: ParseArgsConfig['options'] = Object.fromEntries(
    Object.keys(kinds.texts).map((name) => [name, { type: 'string' as const }]),
  );
  try {
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
    return { booleans, texts: { ...kinds.texts, ...values }, rest: positionals };
  } catch (err) {
    throw new UnikError('usage', messageOf(err), { cause: err });
  }
}
