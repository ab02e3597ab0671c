import { UnikError } from '../core/errors.js';
import { parseCommand } from './command.js';
import { parseProcfile } from './procfile.js';
import type { SourceTree } from './source.js';
import type { Toolchain, ToolchainName } from './toolchains/toolchain.js';

export interface Plan {
  toolchain: ToolchainName;
  /** What decided, for people. */
  why: string;
  /** From the Procfile, by process type; without one the toolchain says what to run. */
  commands?: Record<string, string>;
}

/**
 * Chooses the toolchain of an application. Pure. A Procfile's program decides where it is telling (`node`, `python`,
 * a ready ELF file); else the first toolchain that finds its mark, in the order given. Throws language_unknown.
 */
export function plan(source: SourceTree, toolchains: readonly Toolchain[]): Plan {
  const procfile = source.read('Procfile');
  const commands = procfile === undefined ? undefined : parseProcfile(procfile);
  const choice = (commands && byCommand(commands, source, toolchains)) ?? byMark(source, toolchains);
  if (choice) return { ...choice, ...(commands ? { commands } : {}) };
  const names = source.list('').slice(0, 10).join(', ');
  throw new UnikError('language_unknown', `nothing in the folder says how to run it (it holds ${names})`);
}

function byMark(source: SourceTree, toolchains: readonly Toolchain[]): Plan | undefined {
  // A Staticfile is a wish, an index.html only the last guess.
  if (source.kind('Staticfile') === 'file') return { toolchain: 'static', why: 'Staticfile' };
  for (const toolchain of toolchains) {
    const why = toolchain.detect(source);
    if (why !== undefined) return { toolchain: toolchain.name, why };
  }
  return undefined;
}

function byCommand(
  commands: Readonly<Record<string, string>>,
  source: SourceTree,
  toolchains: readonly Toolchain[],
): Plan | undefined {
  const line = commands['web'] ?? Object.values(commands)[0] ?? '';
  const program = programOf(line);
  if (program === undefined) return undefined;
  const named = toolchains.find((toolchain) => toolchain.programs.includes(program.replace(/^.*\//, '')));
  if (named) return { toolchain: named.name, why: `Procfile: ${program}` };
  const head = source.head(program, 4);
  const isElf = head[0] === 0x7f && head[1] === 0x45;
  return isElf ? { toolchain: 'binary', why: `Procfile: ${program}` } : undefined;
}

/** The program's word; a command that only a shell understands is judged later, with the whole image in view. */
function programOf(line: string): string | undefined {
  try {
    return parseCommand(line).words[0];
  } catch (err) {
    if (err instanceof UnikError && err.code === 'command_needs_shell') return /^[^\s|&;<>()]+/.exec(line)?.[0];
    throw err;
  }
}
