import { z } from 'zod';
import { messageOf, UnikError } from '../core/errors.js';
import type { SourceTree } from './source.js';

const schema = z.looseObject({
  main: z.string().optional().catch(undefined),
  scripts: z.record(z.string(), z.string()).optional().catch(undefined),
  dependencies: z.record(z.string(), z.unknown()).optional().catch(undefined),
});
export type PackageJson = z.infer<typeof schema>;

/** A folder's package.json; undefined when there is none. Throws toolchain_failed for one that is no JSON object. */
export function readPackageJson(source: SourceTree, path = 'package.json'): PackageJson | undefined {
  const text = source.read(path);
  if (text === undefined) return undefined;
  try {
    return schema.parse(JSON.parse(text));
  } catch (err) {
    throw new UnikError('toolchain_failed', `${path} cannot be read: ${messageOf(err)}`, { cause: err });
  }
}

export type PackageCommand =
  { kind: 'script'; script: string; args: string[] } | { kind: 'program'; program: string; args: string[] };

/** Builtin commands of yarn and pnpm that would otherwise read as names of scripts. */
const SHORT = new Set(['start', 'test', 'stop', 'restart']);

/** What `npm start`, `npm run x -- a`, `yarn x`, `npx y a` mean; undefined for any other program. */
export function packageCommand(program: string, args: readonly string[]): PackageCommand | undefined {
  const words = args.filter((word, i) => !(isQuietOption(word) && !args.slice(0, i).includes('--')));
  const [verb, name, ...rest] = words;
  const after = (list: readonly string[]): string[] => (list[0] === '--' ? list.slice(1) : [...list]);
  switch (program) {
    case 'npm':
      if (verb !== undefined && SHORT.has(verb)) return { kind: 'script', script: verb, args: after(words.slice(1)) };
      if ((verb === 'run' || verb === 'run-script') && name !== undefined) {
        return { kind: 'script', script: name, args: after(rest) };
      }
      if ((verb === 'exec' || verb === 'x') && name !== undefined) return asProgram(after(words.slice(1)));
      return undefined;
    case 'yarn':
    case 'pnpm':
      if (verb === 'run' && name !== undefined) return { kind: 'script', script: name, args: after(rest) };
      if (verb === 'exec' && name !== undefined) return asProgram(after(words.slice(1)));
      return verb === undefined ? undefined : { kind: 'script', script: verb, args: after(words.slice(1)) };
    case 'npx':
      return asProgram(after(words));
    default:
      return undefined;
  }
}

function asProgram([program, ...args]: string[]): PackageCommand | undefined {
  return program === undefined ? undefined : { kind: 'program', program, args };
}

function isQuietOption(word: string): boolean {
  return ['-s', '--silent', '-y', '--yes', '--no-install', '--production', '-q', '--quiet'].includes(word);
}
