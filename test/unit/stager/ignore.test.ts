import { describe, expect, test } from '@jest/globals';
import { DEFAULT_IGNORE, ignoreRules } from '../../../stager/ignore.js';

describe('ignoreRules', () => {
  test.each<[lines: string[], path: string, isFolder: boolean, ignored: boolean]>([
    [DEFAULT_IGNORE, '.git', true, true],
    [DEFAULT_IGNORE, 'sub/.DS_Store', false, true],
    [DEFAULT_IGNORE, '.github', true, false],
    [DEFAULT_IGNORE, 'node_modules', true, false],
    [['*.log'], 'a/b.log', false, true],
    [['*.log'], 'a/b.log.txt', false, false],
    [['/*.log'], 'a/b.log', false, false],
    [['build/'], 'build', false, false],
    [['build/'], 'x/build', true, true],
    [['a/b'], 'a/b', false, true],
    [['a/b'], 'x/a/b', false, false],
    [['a/**/b'], 'a/b', false, true],
    [['a/**/b'], 'a/x/y/b', false, true],
    [['**/b'], 'x/b', false, true],
    [['a/**'], 'a/x', false, true],
    [['a/**'], 'a', true, false],
    [['f?o'], 'foo', false, true],
    [['f?o'], 'f/o', false, false],
    [['f[a-c]o'], 'fbo', false, true],
    [['f[!a-c]o'], 'fbo', false, false],
    [['*.txt', '!keep.txt'], 'keep.txt', false, false],
    [['!keep.txt', '*.txt'], 'keep.txt', false, true],
    [['# comment'], '# comment', false, false],
    [['\\#file'], '#file', false, true],
    [['\\!file'], '!file', false, true],
    [['with space  '], 'with space', false, true],
    [['a+b(c)'], 'a+b(c)', false, true],
    [[''], 'anything', false, false],
    [['ü*'], 'überall', false, true],
  ])('%j: %s (folder: %s) is ignored: %s', (lines, path, isFolder, ignored) => {
    expect(ignoreRules(lines)(path, isFolder)).toBe(ignored);
  });
});
