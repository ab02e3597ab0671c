import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  parseDuration,
  parseEnv,
  parseEnvFile,
  parseMegabytes,
  parsePort,
  parseRestart,
  parseSince,
} from '../../../cli/parse.js';

describe('-p', () => {
  test.each([
    ['8080', { host_port: 0, guest_port: 8080, protocol: 'tcp' }],
    ['80:8080', { host_port: 80, guest_port: 8080, protocol: 'tcp' }],
    [':8080', { host_port: 0, guest_port: 8080, protocol: 'tcp' }],
    ['53:53/udp', { host_port: 53, guest_port: 53, protocol: 'udp' }],
    ['0.0.0.0:80:8080', { host_address: '0.0.0.0', host_port: 80, guest_port: 8080, protocol: 'tcp' }],
    ['127.0.0.1::8080', { host_address: '127.0.0.1', host_port: 0, guest_port: 8080, protocol: 'tcp' }],
    ['[::1]:80:8080/tcp', { host_address: '::1', host_port: 80, guest_port: 8080, protocol: 'tcp' }],
  ])('%s', (text, expected) => {
    expect(parsePort(text)).toEqual(expected);
  });

  test.each([
    '',
    '0',
    '80:0',
    '65536',
    '80:',
    'a:b',
    '80:80/sctp',
    '1.2.3:80:80',
    '80:80:80',
    '1:2:3:4',
    '-1',
    '80 :80',
  ])('refuses %j', (text) => {
    expect(() => parsePort(text)).toThrow(expect.objectContaining({ code: 'usage' }));
  });
});

describe('-e', () => {
  test('a value may hold anything, `=` too', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (value) => {
        expect(parseEnv([`NAME=${value}`], {})).toEqual({ NAME: value });
      }),
    );
  });

  test('a bare name takes our own value, and is left out where there is none', () => {
    expect(parseEnv(['HAVE', 'LACK'], { HAVE: 'a=b' })).toEqual({ HAVE: 'a=b' });
  });

  test('the later one wins; a name must be there', () => {
    expect(parseEnv(['A=1', 'A=2'], {})).toEqual({ A: '2' });
    expect(() => parseEnv(['=x'], {})).toThrow('expected NAME=VALUE');
  });

  test('a file in the format of Docker', () => {
    const file = '\uFEFF# comment\n\nA=1\r\n  B = kept as it stands \nC="quotes stay"\nOWN\nD=\n';
    expect(() => parseEnvFile(file, 'x.env', {})).toThrow('x.env');
    expect(parseEnvFile(file.replace('B =', 'B='), 'x.env', { OWN: 'mine' })).toEqual({
      A: '1',
      B: ' kept as it stands ',
      C: '"quotes stay"',
      OWN: 'mine',
      D: '',
    });
  });
});

test.each([
  ['64', 64],
  ['64m', 64],
  ['64MB', 64],
  ['64MiB', 64],
  ['1g', 1024],
  ['1.5g', 1536],
  ['1k', 1],
  ['2097152b', 2],
])('-m %s is %d MB', (text, megabytes) => {
  expect(parseMegabytes(text, '-m')).toBe(megabytes);
});

test.each(['', '0', '-1', '1x', 'm', '1 000'])('-m refuses %j', (text) => {
  expect(() => parseMegabytes(text, '-m')).toThrow(expect.objectContaining({ code: 'usage' }));
});

test.each([
  ['10', 10_000],
  ['0', 0],
  ['1.5', 1500],
  ['500ms', 500],
  ['1m30s', 90_000],
  ['2h', 7_200_000],
])('a time of %s is %d ms', (text, ms) => {
  expect(parseDuration(text, '-t')).toBe(ms);
});

test.each(['', 's', '1x', '1m 30s', '-1', '1mm'])('a time of %j is refused', (text) => {
  expect(() => parseDuration(text, '-t')).toThrow('-t');
});

test('--since takes a date, a time since the epoch, or how long ago', () => {
  const now = Date.parse('2026-11-23T10:00:00Z');
  expect(parseSince('2026-11-23T09:00:00Z', now)).toBe(now - 3_600_000);
  expect(parseSince('1795428000', now)).toBe(1_795_428_000_000);
  expect(parseSince('10m', now)).toBe(now - 600_000);
  expect(() => parseSince('yesterday', now)).toThrow('--since');
});

test('--restart', () => {
  expect(parseRestart('always')).toEqual({ policy: 'always' });
  expect(parseRestart('on-failure:3')).toEqual({ policy: 'on-failure', max_retries: 3 });
  for (const text of ['', 'sometimes', 'always:3', 'on-failure:0', 'on-failure:x']) {
    expect(() => parseRestart(text)).toThrow('--restart');
  }
});
