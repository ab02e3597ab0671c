import { expect, test } from '@jest/globals';
import { Unpacking } from '../../../../stager/archive/place.js';
import { failure } from '../../../support/failure.js';

test.each([
  ['a/b', 'a/b'],
  ['./a/', 'a'],
  ['a/../b', 'b'],
  ['./', ''],
  ['..a', '..a'],
])('%s lies at %j', (name, place) => expect(new Unpacking().place(name)).toBe(place));

test.each(['../a', 'a/../../b', '/etc/passwd', '..', 'a\\..\\b', 'a\0b'])('%j is refused', async (name) => {
  expect((await failure(() => new Unpacking().place(name))).code).toBe('archive_unsafe');
});

test('nothing is written through a symlink of the archive', async () => {
  const unpacking = new Unpacking();
  unpacking.link('a/link', '../b');
  expect(unpacking.place('b/c')).toBe('b/c');
  for (const name of ['a/link', 'a/link/x', 'a/./link/x/y']) {
    expect((await failure(() => unpacking.place(name))).code).toBe('archive_unsafe');
  }
});

test.each(['/etc', '../..', '../../x', 'c/../../../x'])('a symlink a/b to %s leads outside', async (target) => {
  expect((await failure(() => new Unpacking().link('a/b', target))).code).toBe('archive_unsafe');
});

test('bytes and entries are counted, whatever the archive says', async () => {
  const unpacking = new Unpacking({ bytes: 10, entries: 2 });
  unpacking.take(10);
  expect((await failure(() => unpacking.take(1))).code).toBe('archive_too_large');
  unpacking.place('a');
  unpacking.place('b');
  expect((await failure(() => unpacking.place('c'))).code).toBe('archive_too_large');
});
