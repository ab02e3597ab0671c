import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { logItems, lossItem, metricItems, sourceOf, stamp } from '../../../backend/logs/envelope.js';

const config = {
  guid: 'log-guid',
  index: 2,
  tags: { source_id: 'app-guid', instance_id: '2', process_id: 'process-guid', app_name: 'hello' },
};

describe('whose lines they are', () => {
  test('tags name source and instance, and are sent again beside source type and origin', () => {
    expect(sourceOf(config, 'APP/PROC/WEB')).toEqual({
      key: 'app-guid\n2',
      source_id: 'app-guid',
      instance_id: '2',
      tags: { ...config.tags, source_type: 'APP/PROC/WEB', origin: 'rep' },
    });
  });

  test('without such tags the guid and the index do', () => {
    expect(sourceOf({ guid: 'g', index: 3, tags: {} }, '')).toEqual({
      key: 'g\n3',
      source_id: 'g',
      instance_id: '3',
      tags: { source_type: 'LOG', origin: 'rep' },
    });
  });

  test('without a guid there is no source', () => {
    expect(sourceOf({ ...config, guid: '' }, 'CELL')).toBeUndefined();
  });
});

describe('a line', () => {
  const source = sourceOf(config, 'CELL');
  if (!source) throw new Error('the configuration has a guid');

  const said = (text: string): string[] =>
    logItems(source, { stream: 'out', text, at: 7 }).map(({ log }) => String(log?.payload));

  test.each([
    ['out', 'OUT'],
    ['err', 'ERR'],
  ] as const)('of stream %s has type %s', (stream, type) => {
    expect(logItems(source, { stream, text: 'hello', at: 7 })).toEqual([
      { source, at: 7, log: { payload: Buffer.from('hello'), type } },
    ]);
  });

  test('shares what it has in common with the others of its source: that is encoded once', () => {
    const [one, two] = logItems(source, { stream: 'out', text: 'a\nb', at: 7 });
    expect(one?.source).toBe(source);
    expect(two?.source).toBe(source);
  });

  test.each<[why: string, text: string, parts: string[]]>([
    ['nothing', '', []],
    ['line ends alone', '\r\n\n', []],
    ['several lines', 'one\ntwo\r\nthree\rfour', ['one', 'two', 'three', 'four']],
    ['white space stays', '  x ', ['  x ']],
    ['escapes stay', '\u001b[31mred\u001b[0m', ['\u001b[31mred\u001b[0m']],
    ['half a surrogate pair', 'a\ud800b', ['a\ufffdb']],
  ])('%s', (_why, text, parts) => {
    expect(said(text)).toEqual(parts);
  });

  test('longer than 61440 bytes it is cut, between characters and with nothing lost', () => {
    const text = `x${'✓'.repeat(61_440)}`;
    expect(said(text).map((part) => Buffer.byteLength(part))).toEqual([61_438, 61_440, 61_440, 3]);
    expect(said(text).join('')).toBe(text);
  });
});

describe('a sample', () => {
  const source = sourceOf(config);
  if (!source) throw new Error('the configuration has a guid');
  const usage = {
    guid: 'i',
    at: 9,
    cpu_ns: 5n,
    memory_bytes: 10,
    disk_bytes: 20,
    memory_quota_bytes: 30,
    disk_quota_bytes: 40,
    age_ns: 50n,
  };
  const metric = (unit: string, value: number) => ({ unit, value });
  const five = {
    cpu: metric('percentage', 12.5),
    memory: metric('bytes', 10),
    disk: metric('bytes', 20),
    memory_quota: metric('bytes', 30),
    disk_quota: metric('bytes', 40),
  };
  const four = {
    container_age: metric('nanoseconds', 50),
    cpu_entitlement: metric('percentage', 12.5),
    absolute_usage: metric('nanoseconds', 5),
    absolute_entitlement: metric('nanoseconds', 50),
  };

  test('of a task is two gauges: the five that older readers know, and four', () => {
    expect(metricItems(source, usage, 12.5)).toEqual([
      { source, at: 9, gauge: { metrics: five } },
      { source, at: 9, gauge: { metrics: four } },
    ]);
  });

  test('of an LRP has its log rate too, and network totals where they are known', () => {
    const items = metricItems(source, { ...usage, rx_bytes: 70, tx_bytes: 80 }, 0, { rate: 1.5, limit: -1 });
    expect(items.slice(2)).toEqual([
      { source, at: 9, gauge: { metrics: { log_rate: metric('B/s', 1.5), log_rate_limit: metric('B/s', -1) } } },
      { source, at: 9, counter: { name: 'rx_bytes', delta: 0n, total: 70n } },
      { source, at: 9, counter: { name: 'tx_bytes', delta: 0n, total: 80n } },
    ]);
  });

  test('carries every tag: Cloud Controller looks for process_id', () => {
    expect(metricItems(source, usage, 0).map((item) => item.source.tags)).toEqual([
      { ...config.tags, origin: 'rep' },
      { ...config.tags, origin: 'rep' },
    ]);
  });
});

test.each([
  [{ dropped: 3, unconfirmed: 0 }, '3 messages lost for'],
  [{ dropped: 0, unconfirmed: 4 }, 'up to 4 messages lost in transit for'],
  [{ dropped: 3, unconfirmed: 4 }, '3 messages lost, up to 4 more lost in transit for'],
])('a loss of %j is told', (loss, text) => {
  const item = lossItem({ key: 'a', source_id: 'a', instance_id: '0', tags: { source_type: 'CELL' } }, 5, loss);
  expect(String(item.log?.payload)).toContain(`${text} application a:`);
  expect(item).toMatchObject({ at: 5, source: { tags: { source_type: 'LGR' } }, log: { type: 'ERR' } });
});

test('stamps grow by whole microseconds at least, whatever the clock does', () => {
  expect(stamp(1_764_000_000_123, undefined)).toBe(1_764_000_000_123_000_000n);
  expect(stamp(1_764_000_000_123.4, undefined)).toBe(1_764_000_000_123_400_000n);
  expect(stamp(1_764_000_000_123, 1_764_000_000_123_000_000n)).toBe(1_764_000_000_123_001_000n);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 2 ** 41 }), { minLength: 2 }), (times) => {
      let last: bigint | undefined;
      for (const at of times) {
        const next = stamp(at, last);
        if (last !== undefined) expect(next > last).toBe(true);
        expect(next % 1_000n).toBe(0n);
        last = next;
      }
    }),
  );
});
