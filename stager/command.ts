import { UnikError } from '../core/errors.js';
import { literal } from '../executor/images/expand.js';

/** A command line taken apart as a POSIX shell would, as far as one program without a shell allows. */
export interface Command {
  /** Program and arguments. With `expand`, in the form of `executor/images/expand.ts`; else plain text. */
  words: string[];
  expand: boolean;
  /** `NAME=value` before the program, plain text. */
  env: Record<string, string>;
  /** From a leading `cd FOLDER &&`. */
  cwd?: string;
}

type Part = { text: string } | { name: string; otherwise?: string; quoted: boolean };
type Token = { kind: 'word'; parts: Part[]; at: number } | { kind: 'operator'; text: string };

const OPERATORS = ['&&', '||', ';;', '>>', '<<', '>&', '<&', '>|', '<>', '|', '&', ';', '<', '>', '(', ')', '\n'];
const NAME = /^[A-Za-z_][A-Za-z0-9_]*/;
const BRACED = /^\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}$`"'\\]*))?\}/;
const RESERVED = new Set(['if', 'for', 'while', 'until', 'case', 'function', '{', '}', '!', '[[', 'time']);
/** Builtins of the shell that no program stands behind. */
const BUILTINS = new Set([
  'cd',
  'export',
  'set',
  'source',
  '.',
  'eval',
  'ulimit',
  'umask',
  'trap',
  'wait',
  'unset',
  'read',
]);

/**
 * Parses one command line. Throws command_needs_shell, naming the construct that one program cannot do, and
 * command_missing for an empty line.
 */
export function parseCommand(line: string): Command {
  const tokens = new Lexer(line).tokens();
  const { cwd, rest } = takeCd(tokens);
  const words = rest.map((token) => {
    if (token.kind === 'operator') throw needsShell(line, JSON.stringify(token.text));
    return token.parts;
  });

  const env: Record<string, string> = {};
  while (words[0]) {
    const assignment = asAssignment(words[0], line);
    if (!assignment) break;
    env[assignment.name] = assignment.value;
    words.shift();
  }
  if (words[0] && plain(words[0]) === 'exec') words.shift();
  const program = words[0];
  if (!program) throw new UnikError('command_missing', `no program in the command ${JSON.stringify(line)}`);
  const name = plain(program);
  if (name === undefined) throw needsShell(line, 'a program named by a variable');
  if (RESERVED.has(name) || BUILTINS.has(name)) throw needsShell(line, JSON.stringify(name));

  const expand = words.some((parts) => parts.some((part) => 'name' in part));
  return {
    words: words.map((parts) => (expand ? toTemplate(parts) : (plain(parts) ?? ''))),
    expand,
    env,
    ...(cwd === undefined ? {} : { cwd }),
  };
}

/** `cd FOLDER && ...` is a working folder, not a need for a shell. */
function takeCd(tokens: Token[]): { cwd?: string; rest: Token[] } {
  const [cd, folder, and, ...rest] = tokens;
  if (cd?.kind !== 'word' || plain(cd.parts) !== 'cd') return { rest: tokens };
  if (folder?.kind !== 'word' || and?.kind !== 'operator' || and.text !== '&&') return { rest: tokens };
  const cwd = plain(folder.parts);
  return cwd === undefined ? { rest: tokens } : { cwd, rest };
}

function asAssignment(parts: Part[], line: string): { name: string; value: string } | undefined {
  const first = parts[0];
  if (!first || !('text' in first)) return undefined;
  const match = /^([A-Za-z_][A-Za-z0-9_]*)=/.exec(first.text);
  const name = match?.[1];
  if (name === undefined) return undefined;
  const value = plain(parts);
  if (value === undefined) throw needsShell(line, `the variable in the assignment to ${name}`);
  return { name, value: value.slice(name.length + 1) };
}

/** The word's text when no variable is in it. */
function plain(parts: readonly Part[]): string | undefined {
  return parts.every((part) => 'text' in part) ? parts.map((part) => part.text).join('') : undefined;
}

function toTemplate(parts: readonly Part[]): string {
  const [only] = parts;
  if (parts.length === 1 && only && 'name' in only && !only.quoted && only.otherwise === undefined)
    return `$${only.name}`;
  return parts
    .map((part) => {
      if ('text' in part) return literal(part.text);
      return part.otherwise === undefined ? `\${${part.name}}` : `\${${part.name}:-${part.otherwise}}`;
    })
    .join('');
}

function needsShell(line: string, what: string): UnikError {
  return new UnikError('command_needs_shell', `the command ${JSON.stringify(line)} needs a shell for ${what}`);
}

class Lexer {
  readonly #line: string;
  #at = 0;
  #parts: Part[] | undefined;
  readonly #tokens: Token[] = [];

  constructor(line: string) {
    this.#line = line.trim();
  }

  tokens(): Token[] {
    while (this.#at < this.#line.length) this.#step();
    this.#endWord();
    return this.#tokens;
  }

  #step(): void {
    const rest = this.#line.slice(this.#at);
    const char = rest[0] ?? '';
    const operator = OPERATORS.find((text) => rest.startsWith(text));
    if (char === ' ' || char === '\t' || char === '\r') {
      this.#endWord();
      this.#at += 1;
    } else if (operator !== undefined) {
      this.#endWord();
      this.#tokens.push({ kind: 'operator', text: operator });
      this.#at += operator.length;
    } else if (char === '#' && !this.#parts) {
      this.#at += /^[^\n]*/.exec(rest)?.[0].length ?? 0;
    } else if (char === "'") {
      this.#text(rest.slice(1, this.#closing("'", rest)));
      this.#at += this.#closing("'", rest) + 1;
    } else if (char === '"') {
      this.#at += 1;
      this.#doubleQuoted();
    } else if (char === '\\') {
      // A backslash before a line end joins two lines.
      if (rest[1] !== '\n') this.#text(rest[1] ?? '\\');
      this.#at += Math.min(2, rest.length);
    } else if (char === '$') {
      this.#variable(false);
    } else if (char === '`') {
      throw this.#refuse('a command in backquotes');
    } else if (char === '*' || char === '?' || (char === '[' && rest.includes(']'))) {
      throw this.#refuse(`the file pattern ${JSON.stringify(char)}`);
    } else if (char === '~' && !this.#parts && /^~(\/|\s|$)/.test(rest)) {
      this.#add({ name: 'HOME', quoted: true });
      this.#at += 1;
    } else {
      this.#text(char);
      this.#at += 1;
    }
  }

  #doubleQuoted(): void {
    this.#text('');
    for (;;) {
      const char = this.#line[this.#at];
      if (char === undefined) throw this.#refuse('a quote that is never closed');
      if (char === '"') {
        this.#at += 1;
        return;
      }
      if (char === '`') throw this.#refuse('a command in backquotes');
      if (char === '$') {
        this.#variable(true);
      } else if (char === '\\' && /["$`\\\n]/.test(this.#line[this.#at + 1] ?? '')) {
        const escaped = this.#line[this.#at + 1] ?? '';
        if (escaped !== '\n') this.#text(escaped);
        this.#at += 2;
      } else {
        this.#text(char);
        this.#at += 1;
      }
    }
  }

  #variable(quoted: boolean): void {
    const rest = this.#line.slice(this.#at + 1);
    const name = NAME.exec(rest)?.[0];
    const braced = BRACED.exec(rest);
    if (name !== undefined) {
      this.#add({ name, quoted });
      this.#at += 1 + name.length;
    } else if (braced?.[1] !== undefined) {
      this.#add({ name: braced[1], quoted, ...(braced[2] === undefined ? {} : { otherwise: braced[2] }) });
      this.#at += 1 + braced[0].length;
    } else if (/^[({@*#?!$0-9-]/.test(rest)) {
      throw this.#refuse(rest.startsWith('(') ? 'a command in $( )' : `the expansion ${JSON.stringify(`$${rest}`)}`);
    } else {
      this.#text('$');
      this.#at += 1;
    }
  }

  #closing(quote: string, rest: string): number {
    const end = rest.indexOf(quote, 1);
    if (end === -1) throw this.#refuse('a quote that is never closed');
    return end;
  }

  #text(text: string): void {
    const last = this.#parts?.at(-1);
    if (last && 'text' in last) last.text += text;
    else this.#add({ text });
  }

  #add(part: Part): void {
    this.#parts ??= [];
    this.#parts.push(part);
  }

  #endWord(): void {
    if (this.#parts) this.#tokens.push({ kind: 'word', parts: this.#parts, at: this.#at });
    this.#parts = undefined;
  }

  #refuse(what: string): UnikError {
    return needsShell(this.#line, what);
  }
}
