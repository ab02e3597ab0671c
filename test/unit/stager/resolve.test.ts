import { describe, expect, test } from '@jest/globals';
import { resolveCommand, type ResolveContext } from '../../../stager/resolve.js';
import { ELF, fakeSource } from '../../support/fake-source.js';
import { failure } from '../../support/failure.js';

const NODE = '/usr/local/bin/node';
const APP = '/home/vcap/app';

const context: ResolveContext = {
  programs: { node: [NODE], python3: ['/usr/bin/python3'], java: ['/opt/java/bin/java', '-Xss1m'] },
  path: ['node_modules/.bin', '.python_packages/bin'],
  app: fakeSource({
    'package.json': JSON.stringify({
      scripts: {
        start: 'NODE_OPTIONS=--no-warnings node server.js --port $PORT',
        serve: 'next-like start -p 3000',
        again: 'npm run again',
        piped: 'node a.js | tee log',
        watch: 'node w.js',
        prewatch: 'node build.js',
        cross: 'cross-env MODE=live node server.js',
      },
    }),
    'server.js': '',
    'client/package.json': JSON.stringify({ scripts: { start: 'node c.js' } }),
    'client/c.js': '',
    server: ELF,
    'bin/tool': '#!/usr/bin/env -S node --enable-source-maps\n',
    'bin/start.sh': '#!/bin/bash\nexec node server.js\n',
    'bin/py': '#!/usr/bin/python3 -u\n',
    'bin/data': 'just text',
    'node_modules/.bin/next-like': '#!/usr/bin/env node\n',
    '.python_packages/bin/gunicorn': '#!/some/where/python3\n',
  }),
};

describe('resolveCommand', () => {
  test.each<[why: string, line: string, argv: string[]]>([
    ['a program of the image', 'node server.js', [NODE, 'server.js']],
    ['the same by a path', '/usr/bin/node server.js', [NODE, 'server.js']],
    [
      'arguments that the toolchain adds come first',
      'java -jar a.jar',
      ['/opt/java/bin/java', '-Xss1m', '-jar', 'a.jar'],
    ],
    ['a program of the application', './server -v', [`${APP}/server`, '-v']],
    ['the same by its path in the image', `${APP}/server`, [`${APP}/server`]],
    ['a script with an interpreter', 'bin/tool x', [NODE, '--enable-source-maps', `${APP}/bin/tool`, 'x']],
    ['an interpreter with an option', './bin/py', ['/usr/bin/python3', '-u', `${APP}/bin/py`]],
    ['npm run', 'npm run serve', [NODE, `${APP}/node_modules/.bin/next-like`, 'start', '-p', '3000']],
    ['npx', 'npx --yes next-like dev', [NODE, `${APP}/node_modules/.bin/next-like`, 'dev']],
    ['yarn with a script', 'yarn serve', [NODE, `${APP}/node_modules/.bin/next-like`, 'start', '-p', '3000']],
    [
      'arguments after --',
      'npm run serve -- --quiet',
      [NODE, `${APP}/node_modules/.bin/next-like`, 'start', '-p', '3000', '--quiet'],
    ],
    ['a console script', 'gunicorn app:app', ['/usr/bin/python3', `${APP}/.python_packages/bin/gunicorn`, 'app:app']],
    ['one program in sh -c', `sh -c 'node server.js'`, [NODE, 'server.js']],
    ['env', '/usr/bin/env A=1 node server.js', [NODE, 'server.js']],
  ])('%s', (_why, line, argv) => {
    expect(resolveCommand(line, context).argv).toEqual(argv);
  });

  test('a script keeps its variables and its assignments', () => {
    expect(resolveCommand("npm start -- '$literal'", context)).toEqual({
      argv: [NODE, 'server.js', '--port', '$PORT', '${__DOLLAR__:-$}literal'],
      cwd: APP,
      expand: true,
      env: { NODE_OPTIONS: '--no-warnings' },
    });
  });

  test('cross-env gives the environment', () => {
    expect(resolveCommand('npm run cross', context)).toMatchObject({
      argv: [NODE, 'server.js'],
      env: { MODE: 'live' },
    });
  });

  test('a command in a folder reads the package.json there', () => {
    expect(resolveCommand('cd client && npm start', context)).toMatchObject({
      argv: [NODE, 'c.js'],
      cwd: `${APP}/client`,
    });
  });

  test.each<[why: string, line: string, code: string, named: string]>([
    ['a shell script', 'bin/start.sh', 'command_needs_shell', 'bin/start.sh'],
    ['a shell', 'bash bin/start.sh', 'command_needs_shell', 'bash'],
    ['two programs in sh -c', `sh -c 'a && b'`, 'command_needs_shell', '&&'],
    ['a pipe in a script', 'npm run piped', 'command_needs_shell', '"|"'],
    ['a script with another before it', 'npm run watch', 'command_needs_shell', 'prewatch'],
    ['a script that is not there', 'npm run nothing', 'command_missing', 'nothing'],
    ['a script that leads to itself', 'npm run again', 'program_missing', 'back to itself'],
    ['a program that is nowhere', 'nginx', 'program_missing', 'nginx'],
    ['a file that is not there', './missing', 'program_missing', './missing'],
    ['a file that is no program', 'bin/data', 'program_missing', 'bin/data'],
    ['a program outside', '../other', 'program_missing', '../other'],
    ['a name that every object has', 'constructor', 'program_missing', 'constructor'],
    ['a path that ends in one', '/bin/toString', 'program_missing', 'toString'],
  ])('refuses %s', async (_why, line, code, named) => {
    const refusal = await failure(() => resolveCommand(line, context));
    expect(refusal.code).toBe(code);
    expect(refusal.message).toContain(named);
  });

  test('with a shell in the image a shell script is a script like any other', () => {
    const withShell = { ...context, programs: { ...context.programs, bash: ['/bin/sh'] } };
    expect(resolveCommand('bin/start.sh', withShell).argv).toEqual(['/bin/sh', `${APP}/bin/start.sh`]);
  });
});
