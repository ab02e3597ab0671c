import { describe, expect, test } from '@jest/globals';
import { exitOf, hasConfig, monitorOf, parseControl, type EndFacts } from '../../../executor/guests/linux/control.js';

const facts = (control: string, more: Partial<EndFacts> = {}): EndFacts => ({
  events: parseControl(control),
  serialTail: '',
  log: '',
  ...more,
});
const started = '{"event":"waiting"}\n{"event":"started","pid":2}\n';

describe('how a machine ended', () => {
  test.each<[why: string, facts: EndFacts, exit: Record<string, unknown>]>([
    ['a plain exit', facts(`${started}{"event":"exit","code":3}\n`), { reason: 'exited', code: 3 }],
    [
      'a signal',
      facts(`${started}{"event":"exit","code":137,"signal":9}\n`),
      { reason: 'exited', code: 137, signal: 'SIGKILL' },
    ],
    [
      'several programs',
      facts(
        `${started}{"event":"ended","program":2,"code":0}\n{"event":"ended","program":0,"code":4}\n{"event":"exit","code":4}\n`,
      ),
      {
        code: 4,
        programs: [
          { program: 2, code: 0 },
          { program: 0, code: 4 },
        ],
      },
    ],
    [
      'out of memory',
      facts(`${started}{"event":"oom"}\n{"event":"exit","code":137,"signal":9}\n`),
      { reason: 'oom', code: 137 },
    ],
    ['out of memory, and no more was heard', facts(`${started}{"event":"oom"}\n`), { reason: 'oom' }],
    [
      'a program that is not there',
      facts('{"event":"waiting"}\n{"event":"failed","code":127,"message":"no such file"}\n'),
      { reason: 'boot_failed', code: 127, message: 'no such file' },
    ],
    [
      'a panic',
      facts(started, { serialTail: 'x\r\nKernel panic - not syncing: VFS: no root\r\n', shutdown: 'guest-reset' }),
      { reason: 'kernel_panic', message: "the guest's kernel panicked: VFS: no root" },
    ],
    [
      'power-off before the start',
      facts('{"event":"waiting"}\n', { shutdown: 'guest-shutdown' }),
      { reason: 'boot_failed' },
    ],
    ['power-off without a word', facts(started, { shutdown: 'guest-reset' }), { reason: 'killed' }],
    ['QEMU killed', facts(started), { reason: 'killed', message: "the machine's process ended" }],
    [
      'QEMU gave up',
      facts('', { log: 'qemu: cannot allocate memory\n' }),
      { reason: 'killed', message: "the machine's process ended: qemu: cannot allocate memory" },
    ],
    [
      'an application that prints like a panic',
      facts(`${started}{"event":"exit","code":0}\n`, { serialTail: 'Kernel panic - x' }),
      { reason: 'exited', code: 0 },
    ],
  ])('%s', (_why, given, exit) => {
    expect(exitOf(given)).toMatchObject(exit);
  });
});

describe('the control log', () => {
  test('is read past lines of a newer init, and past one cut off', () => {
    expect(parseControl('{"event":"weather","sky":"blue"}\n\n{"event":"waiting"}\n{"event":"exi')).toEqual([
      { event: 'waiting' },
    ]);
  });

  test.each([
    ['', false],
    ['{"event":"waiting"}\n', false],
    ['{"event":"started","pid":2}\n', true],
    ['{"event":"failed","code":1,"message":"x"}\n', true],
  ])('%j: config delivered %s', (text, delivered) => {
    expect(hasConfig(parseControl(text))).toBe(delivered);
  });
});

test.each([
  ['', undefined],
  ['{"event":"monitor","passed":true}', true],
  ['{"event":"monitor","passed":true}\n{"event":"monitor","passed":false}', false],
])('the last word of the monitor in %j is %s', (control, passes) => {
  expect(monitorOf(parseControl(`${started}${control}\n`))).toBe(passes);
});
