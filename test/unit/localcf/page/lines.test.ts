import { describe, expect, test } from '@jest/globals';
import { BootTimes, lineOf, tapped } from '../../../../localcf/page/lines.js';
import type { PageLine } from '../../../../localcf/page/source.js';
import { createStore } from '../../../../localcf/logcache/index.js';

const envelope = (tags: Record<string, string>, text: string, at = 1_764_000_000_123_456_789n) => ({
  timestamp: at,
  source_id: 'app',
  instance_id: '0',
  deprecated_tags: {},
  tags,
  log: { payload: Buffer.from(text), type: 'OUT' as const },
});

test.each([
  ['an instance', { source_type: 'APP/PROC/WEB', process_instance_id: 'i' }, 'i'],
  ['its cell', { source_type: 'CELL', process_instance_id: 'i' }, 'i'],
  ['staging, whichever task it is', { source_type: 'STG', process_instance_id: 'task' }, null],
  ['the router, whoever answered', { source_type: 'RTR', process_instance_id: 'i' }, null],
  ['the API', { source_type: 'API' }, null],
])('a line of %s', (_why, tags, instance) => {
  expect(lineOf(envelope(tags, 'hé'))).toEqual([
    { app: 'app', instance, at: 1_764_000_000_123, source: tags.source_type, error: false, text: 'hé' },
  ]);
});

test('a metric is no line', () => {
  const { log: _log, ...metric } = envelope({}, '');
  expect(lineOf(metric)).toEqual([]);
});

test('a store that tells still stores, and tells until it need not', () => {
  const { store, onLine } = tapped(createStore());
  const heard: string[] = [];
  const end = onLine(({ text }) => void heard.push(text));
  store.put([envelope({ source_type: 'CELL' }, 'one', 1n), envelope({ source_type: 'CELL' }, 'two', 2n)]);
  end();
  store.put([envelope({ source_type: 'CELL' }, 'three', 3n)]);
  expect(heard).toEqual(['one', 'two']);
  const query = { start_time: 0n, end_time: 9n, limit: 9, types: [], descending: false };
  expect(store.read('app', query)).toHaveLength(3);
});

describe('boot times', () => {
  const line = (at: number, text: string, instance: string | null = 'i', source = 'CELL'): PageLine => ({
    ...{ app: 'app', instance, at, source, error: false, text },
  });
  const CREATED = 'Cell c successfully created container for instance i';

  test('from power on to the first time healthy', () => {
    const boots = new BootTimes();
    boots.take(line(1_000, CREATED));
    expect(boots.of('i')).toBeNull();
    boots.take(line(2_500, 'Container became healthy'));
    boots.take(line(9_000, 'Container became healthy'));
    expect(boots.of('i')).toBe(1_500);
  });

  test('an application cannot say it', () => {
    const boots = new BootTimes();
    boots.take(line(1_000, CREATED, 'i', 'APP/PROC/WEB'));
    boots.take(line(2_500, 'Container became healthy'));
    expect(boots.of('i')).toBeNull();
  });

  test('of very many only the newest are kept', () => {
    const boots = new BootTimes();
    for (let n = 0; n < 2_500; n++) {
      boots.take(line(n, `Cell c successfully created container for instance m${n}`, `m${n}`));
      boots.take(line(n + 7, 'Container became healthy', `m${n}`));
    }
    expect(boots.of('m0')).toBeNull();
    expect(boots.of('m2499')).toBe(7);
  });
});
