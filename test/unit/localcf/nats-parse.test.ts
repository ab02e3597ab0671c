import { describe, expect, test } from '@jest/globals';
import { CommandReader, matches } from '../../../localcf/nats/parse.js';

describe('subjects', () => {
  test.each<[pattern: string, subject: string, does: boolean]>([
    ['router.register', 'router.register', true],
    ['router.*', 'router.register', true],
    ['router.*', 'router', false],
    ['router.*', 'router.a.b', false],
    ['*.register', 'router.register', true],
    ['router.>', 'router.a.b', true],
    ['router.>', 'router', false],
    ['>', 'anything.at.all', true],
  ])('%s: %s', (pattern, subject, does) => expect(matches(pattern, subject)).toBe(does));
});

describe('commands', () => {
  const text =
    'CONNECT {"user":"u","verbose":false}\r\nPING\r\nsub a.* 7\r\nUNSUB 7 1\r\nPUB a.b re 5\r\nhe\r\no\r\nPUB c 0\r\n\r\nPONG\r\n';
  const wanted = [
    { do: 'connect', options: { user: 'u', verbose: false } },
    { do: 'ping' },
    { do: 'subscribe', subject: 'a.*', sid: '7' },
    { do: 'unsubscribe', sid: '7', most: 1 },
    { do: 'publish', subject: 'a.b', reply: 're', payload: Buffer.from('he\r\no') },
    { do: 'publish', subject: 'c', reply: '', payload: Buffer.alloc(0) },
    { do: 'pong' },
  ];
  test.each([1, 2, 3, 7, 1_000])('in pieces of %d bytes', (size) => {
    const reader = new CommandReader(100);
    const bytes = Buffer.from(text);
    const got = [];
    for (let i = 0; i < bytes.length; i += size) got.push(...reader.read(bytes.subarray(i, i + size)));
    expect(got).toEqual(wanted);
  });

  test.each([
    ['GET / HTTP/1.1\r\n', 'Unknown Protocol Operation'],
    ['PUB a 101\r\n', 'Maximum Payload Violation'],
    ['PUB a -1\r\n', 'Unknown Protocol Operation'],
    ['SUB a group 1\r\n', 'Unknown Protocol Operation'],
    ['CONNECT [\r\n', 'Unknown Protocol Operation'],
    ['x'.repeat(5_000), 'Maximum Control Line Exceeded'],
  ])('%p is refused', (bytes, why) => {
    expect(() => new CommandReader(100).read(Buffer.from(bytes))).toThrow(why);
  });
});
