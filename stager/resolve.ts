import { posix } from 'node:path';
import { UnikError } from '../core/errors.js';
import { APP_DIR } from '../executor/images/base.js';
import { isElfMagic } from '../executor/images/elf.js';
import { literal } from '../executor/images/expand.js';
import { parseCommand, type Command } from './command.js';
import { packageCommand, readPackageJson } from './package-json.js';
import type { SourceTree } from './source.js';

export interface ResolveContext {
  /** The application as it will be in the image. */
  app: SourceTree;
  /** Programs of the image by name: the path there, and arguments that always come first. */
  programs: Readonly<Record<string, readonly string[]>>;
  /** Folders of the application where a program without a slash is looked for. */
  path: readonly string[];
}

/** One process of an image: what runs without a shell. */
export interface ResolvedProcess {
  argv: string[];
  cwd: string;
  expand: boolean;
  env: Record<string, string>;
}

const SHELLS = new Set(['sh', 'bash', 'dash', 'ash', 'zsh', 'ksh']);
/** Programs that only set variables and then run another. */
const ENV_PROGRAMS = new Set(['env', 'cross-env']);
/** `npm start` within `npm start` and the like must end. */
const MAX_DEPTH = 10;

/**
 * Finds the one program behind a command line: npm and yarn scripts, programs of node_modules, console scripts,
 * scripts with an interpreter line, files of the application. Never runs anything.
 * Throws command_needs_shell, command_missing, program_missing.
 */
export function resolveCommand(line: string, context: ResolveContext): ResolvedProcess {
  const command = parseCommand(line);
  const cwd = posix.join(APP_DIR, command.cwd ?? '');
  const found = new Resolver(context, line, command.cwd ?? '').resolve(command, 0);
  return { argv: found.words, cwd, expand: found.expand, env: found.env };
}

type Words = Pick<Command, 'words' | 'expand' | 'env'>;

class Resolver {
  readonly #context: ResolveContext;
  readonly #line: string;
  /** Folder inside the application where the command starts. */
  readonly #cwd: string;

  constructor(context: ResolveContext, line: string, cwd: string) {
    this.#context = context;
    this.#line = line;
    this.#cwd = cwd;
  }

  resolve(command: Words, depth: number): Words {
    if (depth > MAX_DEPTH) throw this.#missing('it leads back to itself');
    const [program = '', ...args] = command.words;
    const name = program.replace(/^.*\//, '');
    const next = (words: Words): Words => this.resolve({ ...words, env: { ...command.env, ...words.env } }, depth + 1);
    const rest = (words: string[]): Words => ({ ...command, words });

    if (ENV_PROGRAMS.has(name)) return next(this.#fromEnv(rest(args)));
    const script = packageCommand(name, args);
    if (script?.kind === 'script') return next(append(this.#npmScript(script.script), rest(script.args)));
    if (script?.kind === 'program') return next(rest([script.program, ...script.args]));
    if (SHELLS.has(name) && this.#find(program) === undefined) return next(this.#fromShell(name, command));

    const file = this.#find(program);
    if (file === undefined) throw this.#missing(`${program} is neither in the application nor in the image`);
    if ('image' in file) return rest([...file.image, ...args]);
    return this.#appFile(file.app, rest(args), program, next);
  }

  #appFile(path: string, args: Words, program: string, next: (words: Words) => Words): Words {
    const head = this.#context.app.head(path, 256);
    const inImage = posix.join(APP_DIR, path);
    if (isElfMagic(head)) {
      if (!this.#context.app.isExecutable(path)) throw this.#missing(`${path} is not executable: chmod +x ${path}`);
      return { ...args, words: [inImage, ...args.words] };
    }
    const interpreter = shebang(head);
    if (interpreter === undefined) {
      throw this.#missing(`${program} is neither a program nor a script that names its interpreter in the first line`);
    }
    const [first = '', ...options] = interpreter;
    const name = first.replace(/^.*\//, '');
    if (SHELLS.has(name) && !this.#context.programs[name]) throw this.#needsShell(`the ${name} script ${path}`);
    const quote = (word: string): string => (args.expand ? literal(word) : word);
    return next({ ...args, words: [name, ...options.map(quote), quote(inImage), ...args.words] });
  }

  /** A program by its word: of the image, of the application by path, or of the application's program folders. */
  #find(program: string): { image: readonly string[] } | { app: string } | undefined {
    const { app, programs, path } = this.#context;
    const named = (name: string): readonly string[] | undefined =>
      Object.hasOwn(programs, name) ? programs[name] : undefined;
    if (!program.includes('/')) {
      const inApp = path.map((folder) => posix.join(folder, program)).find((file) => app.kind(file) === 'file');
      const known = named(program);
      if (known !== undefined) return { image: known };
      return inApp === undefined ? undefined : { app: app.resolve(inApp) ?? inApp };
    }
    const inside = posix.relative(APP_DIR, posix.resolve(APP_DIR, this.#cwd, program));
    if (!inside.startsWith('..'))
      return app.kind(inside) === 'file' ? { app: app.resolve(inside) ?? inside } : undefined;
    // `/usr/bin/node` and `/usr/bin/env` mean what the image has under that name.
    const known = named(program.replace(/^.*\//, ''));
    return known === undefined ? undefined : { image: known };
  }

  #npmScript(name: string): Words {
    const table = readPackageJson(this.#context.app, posix.join(this.#cwd, 'package.json'))?.scripts ?? {};
    const line = table[name];
    if (line === undefined) {
      if (name === 'start' && this.#context.app.kind('server.js') === 'file') return parseCommand('node server.js');
      throw new UnikError('command_missing', `package.json has no script ${JSON.stringify(name)}`);
    }
    const hook = [`pre${name}`, `post${name}`].find((other) => table[other] !== undefined);
    if (hook !== undefined) throw this.#needsShell(`the script ${JSON.stringify(hook)}, which runs beside ${name}`);
    const command = parseCommand(line);
    if (command.cwd !== undefined) throw this.#needsShell(`the "cd" in the script ${JSON.stringify(name)}`);
    return command;
  }

  /** `sh -c 'one program'` needs no shell. */
  #fromShell(name: string, command: Words): Words {
    const [, option = '', line] = command.words;
    if (/^-l?c$/.test(option) && line !== undefined && command.words.length === 3 && !command.expand) {
      const inner = parseCommand(line);
      if (inner.cwd === undefined) return inner;
    }
    throw this.#needsShell(JSON.stringify(name));
  }

  #fromEnv(command: Words): Words {
    const words = [...command.words];
    const env = { ...command.env };
    for (let word = words[0]; word !== undefined; word = words[0]) {
      const [, name, value] = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(word) ?? [];
      if (name === undefined || value === undefined) break;
      if (command.expand && value.includes('$')) throw this.#needsShell(`the variable in the assignment to ${name}`);
      env[name] = value;
      words.shift();
    }
    if (words[0]?.startsWith('-')) throw this.#needsShell(`the option ${words[0]} of env`);
    if (words.length === 0)
      throw new UnikError('command_missing', `no program in the command ${JSON.stringify(this.#line)}`);
    return { ...command, words, env };
  }

  #missing(why: string): UnikError {
    return new UnikError('program_missing', `the command ${JSON.stringify(this.#line)} cannot run: ${why}`);
  }

  #needsShell(what: string): UnikError {
    return new UnikError('command_needs_shell', `the command ${JSON.stringify(this.#line)} needs a shell for ${what}`);
  }
}

function append(first: Words, second: Words): Words {
  const expand = first.expand || second.expand;
  const asTemplates = (part: Words): string[] => (expand && !part.expand ? part.words.map(literal) : part.words);
  return { words: [...asTemplates(first), ...asTemplates(second)], expand, env: { ...second.env, ...first.env } };
}

/** `#!/usr/bin/env node` gives `node`; options after the interpreter stay. */
function shebang(head: Uint8Array): string[] | undefined {
  const line = /^#!\s*([^\n]+)/.exec(Buffer.from(head).toString())?.[1]?.trim();
  if (line === undefined) return undefined;
  const words = line.split(/\s+/);
  const viaEnv = words[0]?.endsWith('/env') === true;
  return viaEnv ? words.slice(words[1] === '-S' ? 2 : 1) : words;
}
