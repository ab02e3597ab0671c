import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createRateLimit } from '../../../backend/logs/limit.js';
import { MAX_MESSAGE_BYTES, messagesOf } from '../../../backend/logs/messages.js';
import { tail } from '../../../backend/logs/tail.js';
import { Voice } from '../../../backend/logs/voice.js';
import { systemClock } from '../../../core/clock.js';
import type { LogLine } from '../../../executor/model.js';
import { anOrder, Heard } from '../../support/cell.js';
import { never } from '../../support/executor.js';

describe('the rate limit', () => {
  test.each<[why: string, limit: number, lines: [bytes: number, at: number][], verdicts: string[]]>([
    ['none', -1, [[1e9, 0]], ['pass']],
    ['nothing at all', 0, [[1, 0]], ['drop']],
    [
      'one second at once',
      10,
      [
        [6, 0],
        [4, 0],
        [1, 0],
      ],
      ['pass', 'pass', 'notice'],
    ],
    [
      'silence for a second',
      10,
      [
        [11, 0],
        [1, 999],
        [1, 1000],
      ],
      ['notice', 'drop', 'pass'],
    ],
    [
      'it fills again',
      10,
      [
        [10, 0],
        [5, 499],
        [5, 1500],
      ],
      ['pass', 'notice', 'pass'],
    ],
  ])('%s', (_why, limit, lines, verdicts) => {
    const judge = createRateLimit(limit);
    expect(lines.map(([bytes, at]) => judge(bytes, at))).toEqual(verdicts);
  });
});

describe('messages', () => {
  test('are parted at carriage returns, without empty ones', () => {
    expect(messagesOf('\r50 %\r\r100 %')).toEqual(['50 %', '100 %']);
    expect(messagesOf('')).toEqual([]);
  });

  test('are cut between characters, and nothing is lost', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[aé€😀]{1,9}$/u), (part) => {
        const line = part.repeat(Math.ceil(100_000 / Buffer.byteLength(part)));
        const messages = messagesOf(line);
        expect(messages.join('')).toBe(line);
        expect(messages.every((message) => Buffer.byteLength(message) <= MAX_MESSAGE_BYTES)).toBe(true);
      }),
      { numRuns: 20 },
    );
  });
});

test('the limit holds back the application, not the cell; who is not logged is not heard', () => {
  const heard = new Heard();
  const { logs } = anOrder();
  const voice = new Voice({ ...logs, bytes_per_second: 5 }, heard, { ...systemClock, now: () => 0 });
  voice.say({ source: 'APP', stream: 'err', text: 'far too long' });
  voice.say({ source: 'APP', stream: 'out', text: 'x' });
  voice.say({ stream: 'out', text: 'the cell itself' });
  new Voice({ ...logs, guid: '' }, heard, systemClock).say({ stream: 'out', text: 'nobody' });
  expect(heard.lines).toEqual([
    'APP out app instance exceeded log rate limit (5 bytes/sec)',
    'CELL out the cell itself',
  ]);
});

test('a tail that is cut off anywhere goes on without a repetition or a gap', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(3), { maxLength: 20 }), fc.nat(20), async (steps, cut) => {
      let at = 1;
      const lines = steps.map((step, n): LogLine => ({ at: (at += step), stream: 'stdout', text: String(n) }));
      const logs = async function* (_id: string, { since = 0 }: { since?: number }): AsyncGenerator<LogLine> {
        for (const line of lines) if (line.at >= since) yield line;
      };
      const told: string[] = [];
      let place = { at: 0, count: 0 };
      const enough = new Error('cut');
      const tell = (line: LogLine, next: typeof place): void => {
        if (told.length === cut) throw enough;
        told.push(line.text);
        place = next;
      };
      await tail({ logs }, 'id', place, tell, never()).catch((err: unknown) => expect(err).toBe(enough));
      await tail({ logs }, 'id', place, ({ text }) => void told.push(text), never());
      expect(told).toEqual(lines.map(({ text }) => text));
    }),
  );
});
