/** Golden bytes: what the real BBS and its Go client put on the wire (test/fixtures/diego). */
import { describe, expect, test } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decode, encode, type MessageName } from '../../../backend/wire/codec.js';
import { descriptor, type Messages } from '../../../protos/generated.js';
import { root } from '../../support/unik.js';

interface Fixture {
  request_message?: string;
  response_message?: string;
  request_hex?: string;
  response_hex?: string;
  request?: unknown;
  response?: unknown;
}

const known = new Set(Object.keys(descriptor.nested.models.nested));
const bodies = ['bbs', 'bbs-go'].flatMap((folder) =>
  readdirSync(join(root, 'test/fixtures/diego', folder)).flatMap((file) => {
    const fixture = JSON.parse(readFileSync(join(root, 'test/fixtures/diego', folder, file), 'utf8')) as Fixture;
    return (['request', 'response'] as const).flatMap((side) => {
      const message = fixture[`${side}_message`];
      const hex = fixture[`${side}_hex`];
      if (!message || hex === undefined || !fixture[side]) return [];
      return [{ name: `${folder}/${file} ${side}`, message, hex, plain: fixture[side] }];
    });
  }),
);

describe('bytes of the real components', () => {
  test('there are some, and every message of them is known', () => {
    expect(bodies.length).toBeGreaterThan(100);
    expect([...new Set(bodies.map(({ message }) => message))].filter((message) => !known.has(message))).toEqual([]);
  });

  test.each(bodies)('$name', ({ message, hex, plain }) => {
    const name = `models.${message}` as MessageName;
    const value = decode(name, Buffer.from(hex, 'hex'));
    expect(onWire(value)).toEqual(onWire(plain));
    expect(decode(name, encode(name, value as never))).toEqual(value);
  });
});

test('64-bit numbers keep their last digit', () => {
  const since = 1764000000123456789n;
  expect(decode('models.ActualLRP', encode('models.ActualLRP', { since })).since).toBe(since);
});

test('index 0 and false of an optional field are on the wire, an absent one is not', () => {
  const sent = decode('models.ActualLRPsRequest', encode('models.ActualLRPsRequest', { index: 0 }));
  expect(sent.index).toBe(0);
  expect(decode('models.ActualLRPsRequest', encode('models.ActualLRPsRequest', {}))).not.toHaveProperty('index');
});

test('a message cut anywhere is refused with a code or read as a shorter one, never anything else', () => {
  const full: Messages['models.ActualLRPsResponse'] = {
    actual_lrps: [],
    error: { type: 'ResourceNotFound', message: 'the requested resource could not be found' },
  };
  const bytes = encode('models.ActualLRPsResponse', full);
  for (let length = 0; length < bytes.length; length++) {
    const read = () => decode('models.ActualLRPsResponse', bytes.subarray(0, length));
    if (length === 0) expect(read()).toEqual({ actual_lrps: [] });
    else expect(read).toThrow(expect.objectContaining({ code: 'bad_reply' }));
  }
});

/** Only what is on the wire, in comparable form: no defaults, 64-bit numbers and bytes as text. */
function onWire(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (Array.isArray(value)) return value.map(onWire);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value)
    .map(([key, one]) => [key.toLowerCase().replaceAll('_', ''), onWire(one)] as const)
    .filter(([, one]) => !isDefault(one));
  return Object.fromEntries(entries);
}

function isDefault(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === 0 || value === '0' || value === false)
    return true;
  if (Array.isArray(value)) return value.length === 0;
  if (typeof value === 'object') return Object.keys(value).length === 0;
  // The first name of an enum is its default.
  return [
    'UNKNOWN',
    'ORDINARY',
    'ROLLING',
    'DynamicValueInvalid',
    'UnknownError',
    'Invalid',
    'DigestAlgorithmInvalid',
    'MediaTypeInvalid',
  ].includes(value as string);
}
