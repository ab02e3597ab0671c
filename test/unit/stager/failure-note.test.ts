import { expect, test } from '@jest/globals';
import { UnikError } from '../../../core/errors.js';
import { explainedReason, readNote } from '../../../stager/failure-note.js';

const STATUS = 'STG: Exited with status 226';

test('cause, code and remedy come before the words that Cloud Controller reads the end of', () => {
  const why = new UnikError('web_missing', 'no process type is called web\nbut one is called worker');
  expect(explainedReason(STATUS, why)).toBe(
    `no process type is called web but one is called worker (web_missing) Fix: ${why.hint} ${STATUS}`,
  );
  expect(explainedReason(STATUS, undefined)).toBe(STATUS);
});

test('a cause that is told already is not told twice', () => {
  const why = new UnikError('archive_invalid', 'the name "../x" leaves the folder');
  const text = `Copying app package into the container failed: ${why.message}`;
  expect(explainedReason(text, why)).toBe(`(archive_invalid) Fix: ${why.hint} ${text}`);
});

test('it fits into what the BBS keeps, whole letters, the end untouched', () => {
  const why = new UnikError('toolchain_failed', '🐘ä'.repeat(2_000));
  const reason = explainedReason(STATUS, why);
  expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(1_000);
  expect(reason).not.toContain('\ufffd');
  expect(reason).toMatch(/^🐘.*\.\.\. \(toolchain_failed\) Fix: .* STG: Exited with status 226$/u);
});

test('nothing in it moves a cursor', () => {
  expect(explainedReason(STATUS, new UnikError('internal', '\x1b[2Ja\r\u202eb\x07'))).toMatch(/^\[2Jab \(internal\)/);
});

test.each([
  ['a note', '{"code":"web_missing","message":"m"}', 'web_missing'],
  ['a code nobody knows', '{"code":"constructor","message":"m"}', undefined],
  ['no message', '{"code":"web_missing"}', undefined],
  ['no JSON', 'x', undefined],
  ['nothing', '', undefined],
  ['null', 'null', undefined],
])('%s', (_why, text, code) => expect(readNote(text)?.code).toBe(code));
