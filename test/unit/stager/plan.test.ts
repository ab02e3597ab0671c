import { describe, expect, test } from '@jest/globals';
import { parseProcfile } from '../../../stager/procfile.js';
import { plan } from '../../../stager/plan.js';
import { TOOLCHAINS } from '../../../stager/toolchains/index.js';
import { ELF, fakeSource } from '../../support/fake-source.js';
import { failure } from '../../support/failure.js';

describe('plan', () => {
  test.each<[why: string, files: Record<string, string>, toolchain: string, by: string]>([
    ['a page', { 'index.html': '' }, 'static', 'index.html'],
    ['a package with a start script', { 'package.json': '{"scripts":{"start":"x"}}' }, 'node', 'package.json'],
    ['a package with a main file', { 'package.json': '{"main":"m.js"}', 'm.js': '' }, 'node', 'package.json'],
    ['a bare script', { 'server.js': '' }, 'node', 'server.js'],
    ['a site with tools of Node.js', { 'package.json': '{}', 'index.html': '' }, 'static', 'index.html'],
    [
      'a Staticfile before all',
      { Staticfile: '', 'package.json': '{"scripts":{"start":"x"}}' },
      'static',
      'Staticfile',
    ],
    ['requirements', { 'requirements.txt': '' }, 'python', 'requirements.txt'],
    ['a Python file', { 'app.py': '' }, 'python', 'app.py'],
    ['gems beside a package', { Gemfile: '', 'package.json': '{"main":"m.js"}', 'm.js': '' }, 'ruby', 'Gemfile'],
    ['a Procfile names bundle', { Procfile: 'web: bundle exec x', 'app.py': '' }, 'ruby', 'Procfile: bundle'],
    ['a Go module with pages', { 'go.mod': '', 'index.html': '' }, 'go', 'go.mod'],
    ['a jar', { 'target/a.jar': '', 'target/a-sources.jar': '' }, 'java', 'target/a.jar'],
    ['a program', { server: ELF }, 'binary', 'server'],
    ['a program in bin', { 'bin/server': ELF, 'lib.so': ELF }, 'binary', 'bin/server'],
    ['a Procfile names node', { Procfile: 'web: node x', 'requirements.txt': '' }, 'node', 'Procfile: node'],
    [
      'a Procfile names gunicorn',
      { Procfile: 'web: gunicorn a:b', 'package.json': '{"main":"m.js"}', 'm.js': '' },
      'python',
      'Procfile: gunicorn',
    ],
    [
      'a Procfile names a ready program',
      { Procfile: 'web: ./out', out: ELF, 'go.mod': '' },
      'binary',
      'Procfile: ./out',
    ],
    ['a Procfile names what is yet to be built', { Procfile: 'web: ./out', 'go.mod': '' }, 'go', 'go.mod'],
    [
      'a Procfile that needs a shell still names its program',
      { Procfile: 'web: node a|cat' },
      'node',
      'Procfile: node',
    ],
    ['a Procfile without web', { Procfile: 'worker: python3 w.py' }, 'python', 'Procfile: python3'],
  ])('%s', (_why, files, toolchain, why) => {
    expect(plan(fakeSource(files), TOOLCHAINS)).toMatchObject({ toolchain, why });
  });

  test('commands of a Procfile are kept', () => {
    const source = fakeSource({ Procfile: 'web: node a\nworker: node b' });
    expect(plan(source, TOOLCHAINS).commands).toEqual({ web: 'node a', worker: 'node b' });
  });

  test.each<[why: string, files: Record<string, string>, code: string]>([
    ['nothing known', { 'notes.txt': '' }, 'language_unknown'],
    ['a broken Procfile', { Procfile: 'web node', 'index.html': '' }, 'procfile_invalid'],
    ['a broken package.json', { 'package.json': '{' }, 'toolchain_failed'],
  ])('refuses %s', async (_why, files, code) => {
    expect((await failure(() => plan(fakeSource(files), TOOLCHAINS))).code).toBe(code);
  });
});

describe('parseProcfile', () => {
  test('types and commands, without comments and empty lines', () => {
    expect(parseProcfile('# all\n\nweb: a b: c\r\n  my-worker :  d\n')).toEqual({ web: 'a b: c', 'my-worker': 'd' });
  });

  test.each<[text: string, named: string]>([
    ['web: a\nnonsense', 'line 2'],
    ['web:', 'line 1'],
    ['web: a\n\nweb: b', 'line 3'],
    ['we b: a', 'line 1'],
    ['# nothing', 'no process'],
  ])('refuses %j', async (text, named) => {
    const refusal = await failure(() => parseProcfile(text));
    expect(refusal.code).toBe('procfile_invalid');
    expect(refusal.message).toContain(named);
  });
});
