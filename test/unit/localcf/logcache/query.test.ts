import { describe, expect, test } from '@jest/globals';
import { parseQuery } from '../../../../localcf/logcache/promql.js';
import { readQuery, Refused, type Refusal } from '../../../../localcf/logcache/query.js';

const NOW = 77n;
const read = (query: string) => readQuery(new URLSearchParams(query), NOW);

function refusal(query: string): Refusal {
  try {
    read(query);
  } catch (err) {
    if (err instanceof Refused) return err.refusal;
    throw err;
  }
  throw new Error(`${query} was not refused`);
}

describe('a read', () => {
  test('of everything is of the oldest hundred until now', () => {
    expect(read('')).toEqual({ start_time: 0n, end_time: NOW, limit: 100, types: [], descending: false });
  });

  test('takes its fields in both spellings, and leaves what it does not know', () => {
    const query = read(
      'startTime=-6795364578871345152&end_time=5&limit=7&envelope_types=LOG&envelopeTypes=3&descending=1&foo=1',
    );
    expect(query).toEqual({
      start_time: -6795364578871345152n,
      end_time: 5n,
      limit: 7,
      types: ['LOG', 'GAUGE'],
      descending: true,
    });
  });

  test.each([
    ['name_filter=cp', 'cpu', true],
    ['name_filter=CPU', 'cpu', false],
    ['name_filter=(?i)CPU', 'cpu', true],
  ])('%s finds %s: %s', (query, name, found) => {
    expect(read(query).name?.test(name)).toBe(found);
  });

  // The words are log-cache's own; test/interop/logs holds most of them against it.
  test.each<[query: string, http: number, code: number, message: string]>([
    ['limit=1001', 500, 2, 'limit (1001) must be 1000 or less'],
    ['limit=-1', 500, 2, 'limit (-1) must be greater than zero'],
    ['limit=', 400, 3, 'parsing field "limit": strconv.ParseInt: parsing "": invalid syntax'],
    ['limit=0x2', 400, 3, 'parsing field "limit": strconv.ParseInt: parsing "0x2": invalid syntax'],
    ['limit=1&limit=2', 400, 3, 'too many values for field "limit": 1, 2'],
    ['start_time=9&end_time=3', 500, 2, 'StartTime (9) must be before EndTime (3)'],
    [
      'start_time=9223372036854775808',
      400,
      3,
      'parsing field "start_time": strconv.ParseInt: parsing "9223372036854775808": value out of range',
    ],
    ['descending=yes', 400, 3, 'parsing field "descending": strconv.ParseBool: parsing "yes": invalid syntax'],
    ['envelope_types=log', 400, 3, 'parsing list "envelope_types": "log" is not a valid value'],
    [
      'name_filter=%5B',
      500,
      2,
      'name filter must be a valid regular expression: error parsing regexp: missing closing ]: `[`',
    ],
  ])('%s is refused', (query, http, code, message) => {
    expect(refusal(query)).toEqual({ http, code, message });
  });
});

describe('a PromQL query', () => {
  test('is a metric with labels, or a number', () => {
    expect(parseQuery('cpu{source_id="a", process_id="b \\" c"}')).toEqual({
      kind: 'metric',
      name: 'cpu',
      labels: new Map([
        ['source_id', 'a'],
        ['process_id', 'b " c'],
      ]),
    });
    expect(parseQuery(' 1.5 ')).toEqual({ kind: 'number', value: 1.5 });
  });

  test.each([
    ['cpu', "metric 'cpu' does not have a 'source_id' label"],
    ['', 'parse error at char 1: no expression found in input'],
    ['sum(cpu)', 'only NAME'],
    ['cpu{source_id=~"a"}', 'only LABEL="VALUE"'],
  ])('%s is refused', (query, message) => {
    expect(() => parseQuery(query)).toThrow(message);
  });
});
