import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { UnikError } from '../../../core/errors.js';
import { startCommand } from '../../../executor/images/droplet.js';
import { expandArgv } from '../../../executor/images/expand.js';
import { parseCommand } from '../../../stager/command.js';

describe('parseCommand', () => {
  test.each<[why: string, line: string, words: string[]]>([
    ['plain words', 'node server.js --port 1', ['node', 'server.js', '--port', '1']],
    ['single quotes keep everything', `a 'b  "c" $D \\'`, ['a', 'b  "c" $D \\']],
    ['double quotes keep spaces', 'a "b  c"', ['a', 'b  c']],
    ['escapes inside double quotes', 'a "\\$X \\" \\\\ \\n"', ['a', '$X " \\ \\n']],
    ['a backslash keeps a space', 'a b\\ c', ['a', 'b c']],
    ['quotes join with what is beside them', `a b'c'"d"e`, ['a', 'bcde']],
    ['empty quotes are a word', `a '' ""`, ['a', '', '']],
    ['exec is dropped', 'exec ./server', ['./server']],
    ['a comment ends the line', 'a b # c | d', ['a', 'b']],
    ['a hash inside a word is none', 'a b#c', ['a', 'b#c']],
    ['a lone dollar is itself', 'a $ b$', ['a', '$', 'b$']],
    ['a joined line', 'a \\\n b', ['a', 'b']],
    ['an operator in quotes is text', `a '&&' "|" \\;`, ['a', '&&', '|', ';']],
    ['braces that are no group', 'a {b,c} x={}', ['a', '{b,c}', 'x={}']],
  ])('%s', (_why, line, words) => {
    expect(parseCommand(line)).toEqual({ words, expand: false, env: {} });
  });

  test('assignments before the program become its environment', () => {
    expect(parseCommand(`A=1 B='two words' C= node x D=4`)).toEqual({
      words: ['node', 'x', 'D=4'],
      expand: false,
      env: { A: '1', B: 'two words', C: '' },
    });
  });

  test('a leading cd is a working folder', () => {
    expect(parseCommand('cd server && exec node x.js')).toEqual({
      words: ['node', 'x.js'],
      expand: false,
      env: {},
      cwd: 'server',
    });
  });

  test('variables are kept for the start', () => {
    const { words, expand } = parseCommand(`a --port=$PORT "\${B:-x y}" $C "$D" 'it costs $5 or $E'`);
    expect(expand).toBe(true);
    const env = { PORT: '80', D: 'd d' };
    expect(expandArgv(words, env)).toEqual(['a', '--port=80', 'x y', 'd d', 'it costs $5 or $E']);
  });

  test('an empty variable leaves no word when unquoted, an empty one when quoted', () => {
    const { words } = parseCommand('java $JAVA_OPTS "$OTHER" -jar a.jar');
    expect(expandArgv(words, {})).toEqual(['java', '', '-jar', 'a.jar']);
  });

  test.each<[line: string, named: string]>([
    ['a | b', '"|"'],
    ['a && b', '"&&"'],
    ['a || b', '"||"'],
    ['a; b', '";"'],
    ['a & ', '"&"'],
    ['a > log', '">"'],
    ['a 2>&1', '">&"'],
    ['a < in', '"<"'],
    ['(a)', '"("'],
    ['a *.js', 'file pattern "*"'],
    ['a file?.js', 'file pattern "?"'],
    ['a [ab]', 'file pattern "["'],
    ['a `date`', 'backquotes'],
    ['a "`date`"', 'backquotes'],
    ['a $(date)', '$( )'],
    ['a $1', 'the expansion'],
    ['a ${B%x}', 'the expansion'],
    ['a "b', 'never closed'],
    [`a 'b`, 'never closed'],
    ['export A=1', '"export"'],
    ['cd server', '"cd"'],
    ['if true', '"if"'],
    ['$PROGRAM x', 'named by a variable'],
    ['A=$B x', 'assignment to A'],
    ['a\nb', '"\\n"'],
  ])('refuses %j, naming what needs a shell', (line, named) => {
    const refusal = failure(() => parseCommand(line));
    expect(refusal.code).toBe('command_needs_shell');
    expect(refusal.message).toContain(named);
  });

  test.each(['', '   ', '# nothing', 'A=1', 'exec'])('%j names no program', (line) => {
    expect(failure(() => parseCommand(line)).code).toBe('command_missing');
  });

  test('any words come back from single quotes', () => {
    const word = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0'));
    fc.assert(
      fc.property(fc.array(word, { maxLength: 8 }), (args) => {
        const line = ['program', ...args.map((arg) => `'${arg.replaceAll("'", "'\\''")}'`)].join(' ');
        expect(parseCommand(line).words).toEqual(['program', ...args]);
      }),
    );
  });

  test('never fails but with a code of its own', () => {
    fc.assert(
      fc.property(fc.string(), (line) => {
        try {
          parseCommand(line);
        } catch (err) {
          expect(err).toBeInstanceOf(UnikError);
        }
      }),
    );
  });

  test('the start command of an image parses back to its argv', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        '$A',
        '${A}',
        '${B:-b c}',
        ' ',
        "'",
        '"',
        '\\',
        '$',
        '$$',
        '`',
        '*',
        '|',
        'é',
        '\n',
        'x=1',
        '~',
        '{',
      ),
      fc.string({ maxLength: 3 }),
    );
    const word = fc.array(piece, { maxLength: 5 }).map((pieces) => pieces.join(''));
    fc.assert(
      fc.property(fc.array(word, { maxLength: 5 }), fc.boolean(), (args, quoted) => {
        const line = ['/program', ...args.map((arg) => (quoted ? `"${arg.replace(/["`\\]/g, '\\$&')}"` : arg))].join(
          ' ',
        );
        let command;
        try {
          command = parseCommand(line);
        } catch {
          return;
        }
        const { words: argv, expand } = command;
        const again = parseCommand(startCommand({ processes: { web: { argv, cwd: '/', expand } } }));
        const env = { A: 'a  a', B: '' };
        const run = (words: string[], template: boolean): string[] => (template ? expandArgv(words, env) : words);
        expect(run(again.words, again.expand)).toEqual(run(argv, expand));
      }),
      { numRuns: 500 },
    );
  });
});

function failure(run: () => unknown): UnikError {
  try {
    run();
  } catch (err) {
    if (err instanceof UnikError) return err;
    throw err;
  }
  throw new Error('nothing was refused');
}
