import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { GobDecoder } from '../../../../cli/cf-plugin/gob/decode.js';
import { GobEncoder, signed, unsigned } from '../../../../cli/cf-plugin/gob/encode.js';
import type { GobType, GobValue } from '../../../../cli/cf-plugin/gob/types.js';
import { PLUGIN_METADATA } from '../../../../cli/cf-plugin/metadata.js';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytes = (...parts: string[]): Uint8Array => Buffer.from(parts.join('').replaceAll(/\s/g, ''), 'hex');

const REQUEST: GobType = {
  struct: 'Request',
  fields: [
    ['ServiceMethod', 'string'],
    ['Seq', 'uint'],
  ],
};

/** Made by Go's encoding/gob. */
const GO = {
  request: [
    '2fff8103010107526571756573740',
    '1ff8200010201',
    '0d536572766963654d6574686f64010c000103536571010600',
    '0000',
  ].join(''),
  header: '20ff820119436c69527063436d642e49734d696e436c6956657273696f6e010100',
  argument: '080c0005382e302e30',
  metadata: [
    '67ff830301010e506c7567696e4d6574616461746101ff840001050104',
    '4e616d65010c00010756657273696f6e01ff8600010e4c69627261727956657273696f6e01ff8600',
    '010d4d696e436c6956657273696f6e01ff86000108436f6d6d616e647301ff8e000000',
    '37ff850301010b56657273696f6e5479706501ff860001030105',
    '4d616a6f72010400',
    '01054d696e6f72010400',
    '01054275696c64010400',
    '0000',
    '1dff8d0201010e5b5d6d61696e2e436f6d6d616e6401ff8e0001ff880000',
    '47ff8703010107436f6d6d616e6401ff880001040104',
    '4e616d65010c000105416c696173010c00010848656c7054657874010c00010c557361676544657461696c7301ff8a000000',
    '2aff89030101055573616765',
    '01ff8a00010201055573616765010c0001074f7074696f6e7301ff8c000000',
    '21ff8b040101116d61705b737472696e675d737472696e67',
    '01ff8c00010c010c0000',
    '4bff840104756e696b01010201040106000100010110000101010b656e61626c652d756e696b020168',
    '010112636620656e61626c652d756e696b20415050010102',
    '2d6605666f726365000000',
  ].join(''),
};

describe('numbers', () => {
  test.each<[number | bigint, string]>([
    [0, '00'],
    [127, '7f'],
    [128, 'ff80'],
    [256, 'fe0100'],
    [65_536, 'fd010000'],
    [0xffff_ffff_ffff_ffffn, 'f8ffffffffffffffff'],
  ])('unsigned %s', (value, expected) => expect(hex(unsigned(value))).toBe(expected));

  test.each<[number | bigint, string]>([
    [0, '00'],
    [1, '02'],
    [-1, '01'],
    [64, 'ff80'],
    [-65, 'ff81'],
    [300, 'fe0258'],
    [-(2n ** 63n), 'f8ffffffffffffffff'],
  ])('signed %s', (value, expected) => expect(hex(signed(value))).toBe(expected));

  test('what is no uint64 is refused', () => {
    expect(() => unsigned(-1)).toThrow(expect.objectContaining({ code: 'bad_request' }));
    expect(() => unsigned(2n ** 64n)).toThrow('no uint64');
  });
});

describe('bytes of Go', () => {
  test('a call: the request is defined once, the argument follows', () => {
    const encoder = new GobEncoder();
    const header = { ServiceMethod: 'CliRpcCmd.IsMinCliVersion', Seq: 1 };
    expect(hex(encoder.encode(REQUEST, header))).toBe(GO.request + GO.header);
    expect(hex(encoder.encode('string', '8.0.0'))).toBe(GO.argument);
    expect(hex(encoder.encode(REQUEST, header))).toBe(GO.header);
  });

  test('the metadata of a plugin', () => {
    const encoder = new GobEncoder();
    encoder.encode(REQUEST, {});
    const value = {
      Name: 'unik',
      Version: { Major: 1, Minor: 2, Build: 3 },
      LibraryVersion: {},
      MinCliVersion: { Major: 8 },
      Commands: [
        {
          Name: 'enable-unik',
          HelpText: 'h',
          UsageDetails: { Usage: 'cf enable-unik APP', Options: new Map([['-f', 'force']]) },
        },
      ],
    };
    expect(hex(encoder.encode(PLUGIN_METADATA, value))).toBe(GO.metadata);
  });

  test.each<[GobType, GobValue, string]>([
    ['bool', true, '03020001'],
    ['bool', false, '03020000'],
    ['string', '', '030c0000'],
    [
      { slice: 'string' },
      ['curl', '/v3/apps'],
      '0cff810201 02ff820001 0c0000 12ff8200 02 04 6375726c 08 2f76332f61707073',
    ],
  ])('an argument %j', (type, value, expected) => {
    expect(hex(new GobEncoder().encode(type, value))).toBe(expected.replaceAll(' ', ''));
  });

  test('answers of the CLI, in pieces of any size', () => {
    const answers = bytes(
      '3aff9103010108526573706f6e736501ff92000103010d536572766963654d6574686f64010c000103536571010600',
      '01054572726f72010c000000',
      '20ff920119436c69527063436d642e49734d696e436c6956657273696f6e010100',
      '03020001',
      '0d0c000a62656172657220616263',
      '0cff8f020102ff9000010c0000',
      '10ff9000 02 056c696e6531 056c696e6532',
      '20ff920115436c69527063436d642e416363657373546f6b656e0204626f6f6d00',
      '0aff93030102ff94000000 03ff9400',
      '25ff950301010653706163654d01ff9600010101 0b53706163654669656c647301ff98000000',
      '2bff970301010b53706163654669656c647301ff98000102010447756964010c0001044e616d65010c000000',
      '0eff9601010267310103646576 0000',
    );
    const expected = [
      { ServiceMethod: 'CliRpcCmd.IsMinCliVersion', Seq: 1 },
      true,
      'bearer abc',
      ['line1', 'line2'],
      { ServiceMethod: 'CliRpcCmd.AccessToken', Error: 'boom' },
      {},
      { SpaceFields: { Guid: 'g1', Name: 'dev' } },
    ];
    for (const size of [1, 2, 7, answers.length]) {
      const decoder = new GobDecoder();
      const found: GobValue[] = [];
      for (let at = 0; at < answers.length; at += size) {
        decoder.feed(answers.subarray(at, at + size));
        for (let next = decoder.take(); next; next = decoder.take()) found.push(next.value);
      }
      expect(found).toEqual(expected);
    }
  });

  test('a float, bytes, and a number that JavaScript cannot hold', () => {
    const decoder = new GobDecoder();
    decoder.feed(bytes('05 08 00 fe3140', '06 0a 00 03 010203', '0b 06 00 f8 7fffffffffffffff'));
    expect(decoder.take()?.value).toBe(17);
    expect(decoder.take()?.value).toEqual(Uint8Array.of(1, 2, 3));
    expect(decoder.take()?.value).toBe(2n ** 63n - 1n);
    expect(decoder.take()).toBeUndefined();
  });
});

describe('both halves', () => {
  const typed =
    (type: GobType) =>
    (value: GobValue): { type: GobType; value: GobValue } => ({ type, value });
  const leaf = fc.oneof(
    fc.string({ unit: 'grapheme' }).map(typed('string')),
    fc.maxSafeInteger().map(typed('int')),
    fc.maxSafeNat().map(typed('uint')),
    fc.boolean().map(typed('bool')),
  );
  const nested = fc.letrec<{ any: { type: GobType; value: GobValue } }>((tie) => ({
    any: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.array(tie('any'), { minLength: 1, maxLength: 4 }).map((fields) => ({
        type: { struct: 'S', fields: fields.map(({ type }, i) => [`F${i}`, type] as const) },
        value: Object.fromEntries(fields.map(({ value }, i) => [`F${i}`, value])),
      })),
      tie('any').map(({ type, value }) => ({ type: { slice: type }, value: [value, value] })),
      fc.tuple(fc.string(), tie('any')).map(([key, { type, value }]) => ({
        type: { map: { key: 'string' as const, value: type } },
        value: new Map([[key, value]]),
      })),
    ),
  })).any;

  /** As it arrives: fields that hold nothing are not sent. */
  const sent = (value: GobValue): GobValue => {
    if (Array.isArray(value)) return (value as GobValue[]).map(sent);
    if (value instanceof Map)
      return new Map([...value].map(([key, item]) => [key as GobValue, sent(item as GobValue)]));
    if (typeof value !== 'object') return value;
    const kept = Object.entries(value as Record<string, GobValue>).filter(
      ([, item]) => !['', 0, false].includes(item as 0),
    );
    return Object.fromEntries(kept.map(([name, item]) => [name, sent(item)]));
  };

  test('what goes in comes out', () => {
    fc.assert(
      fc.property(nested, ({ type, value }) => {
        const decoder = new GobDecoder();
        decoder.feed(new GobEncoder().encode(type, value));
        expect(decoder.take()).toEqual({ value: sent(value) });
        expect(decoder.take()).toBeUndefined();
      }),
    );
  });

  test('a value of another type is refused', () => {
    expect(() => new GobEncoder().encode('string', 1)).toThrow('gob: number is no string');
    expect(() => new GobEncoder().encode(REQUEST, 'x')).toThrow('gob: string is no Request');
  });
});

describe('bytes of a fool', () => {
  const refusal = expect.objectContaining({ code: 'bad_reply' });
  test.each([
    ['a number of nine bytes', 'f7000000000000000000'],
    ['an endless message', 'f87fffffffffffffff'],
    ['a type never defined', '04ff820000'],
    ['a string that is longer than its message', '040c0005'.concat('ff')],
    ['a definition of no kind', '04ff81 0900'],
    ['a definition that says nothing', '03ff8100'],
    ['a value without its marker', '03020101'],
    ['bytes too many', '0402000100'],
  ])('%s', (_what, given) => {
    const decoder = new GobDecoder();
    decoder.feed(bytes(given));
    expect(() => decoder.take()).toThrow(refusal);
  });

  test('a type that holds itself ends', () => {
    const decoder = new GobDecoder();
    // Slice 65 of slice 65: every element is a count again.
    decoder.feed(bytes('0cff810201', '02ff820001ff820000'));
    decoder.feed(bytes('60ff8200', '01'.repeat(93)));
    expect(() => decoder.take()).toThrow(refusal);
  });

  test('any bytes: a value, a wait or a refusal, and always an end', () => {
    const seed = Buffer.from(GO.request + GO.header + GO.metadata, 'hex');
    const bent = fc
      .array(fc.tuple(fc.nat(seed.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 })
      .map((changes) => {
        const copy = Buffer.from(seed);
        for (const [at, byte] of changes) copy[at] = byte;
        return copy;
      });
    fc.assert(
      fc.property(fc.oneof(bent, fc.uint8Array({ maxLength: 200 })), (given) => {
        const decoder = new GobDecoder();
        decoder.feed(given);
        try {
          while (decoder.take()) continue;
        } catch (err) {
          expect(err).toEqual(refusal);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
