import { describe, expect, test } from '@jest/globals';
import { CfError } from '../../../../localcf/cc/errors.js';
import { by, list, valuesOf, type ListCall } from '../../../../localcf/cc/list.js';
import { keyFault, mergeMetadata } from '../../../../localcf/cc/metadata.js';
import type { Base, Metadata } from '../../../../localcf/cc/model.js';
import { parseSelector } from '../../../../localcf/cc/selector.js';

interface Thing extends Base {
  name: string;
  metadata: Metadata;
}
const thing = (name: string, seq: number, labels = {}): Thing => ({
  ...{ guid: `g-${name}`, seq, created_at: '2026-01-01T00:00:00Z', updated_at: `2026-01-01T00:00:0${seq}Z` },
  ...{ name, metadata: { labels, annotations: {} } },
});
const THINGS = [thing('b', 1, { tier: 'front' }), thing('a', 2), thing('c,d', 3, { tier: 'back' })];

const ask = (query: string): unknown[] => {
  const call: ListCall = {
    query: new Map(new URLSearchParams(query)),
    url: `/v3/things?${query}`,
    href: (path) => path,
  };
  const { resources } = list(call, [...THINGS], {
    filters: { names: by(({ name }) => name) },
    order: { name: ({ name }) => name },
    present: ({ name }) => ({ name }),
  }) as { resources: { name: string }[] };
  return resources.map(({ name }) => name);
};

describe('lists', () => {
  test.each([
    ['', ['b', 'a', 'c,d']],
    ['order_by=name', ['a', 'b', 'c,d']],
    ['order_by=-created_at', ['c,d', 'a', 'b']],
    ['names=a,b', ['b', 'a']],
    ['names=c%252Cd', ['c,d']],
    ['guids=g-a', ['a']],
    ['label_selector=tier', ['b', 'c,d']],
    ['label_selector=tier!=front', ['a', 'c,d']],
    ['updated_ats[gt]=2026-01-01T00:00:01Z', ['a', 'c,d']],
    ['per_page=1&page=2', ['a']],
    ['names=', []],
  ])('%s', (query, names) => expect(ask(query)).toEqual(names));

  test.each([
    'page=0',
    'per_page=5001',
    'per_page=x',
    'order_by=colour',
    'include=space',
    'label_selector=,',
    'colour=1',
  ])('%s is refused', (query) => expect(() => ask(query)).toThrow(CfError));

  test('a comma inside a value comes twice encoded', () => {
    expect(valuesOf('a%2Cb,c')).toEqual(['a,b', 'c']);
    expect(valuesOf('100%,x')).toEqual(['100%', 'x']);
  });
});

describe('selectors', () => {
  const labels = { a: '1', 'unik.io/b': '2' };
  test.each<[string, boolean]>([
    ['a', true],
    ['!a', false],
    ['z', false],
    ['a=1', true],
    ['a==1', true],
    ['a!=1', false],
    ['z!=1', true],
    ['a in (1,2)', true],
    ['a notin (1,2)', false],
    ['z notin (1)', true],
    ['unik.io/b=2,a', true],
    ['a in (1,2),!z', true],
  ])('%s: %p', (text, fits) => expect(parseSelector(text)(labels)).toBe(fits));
});

describe('metadata', () => {
  test.each<[string, boolean]>([
    ['key', true],
    ['unik.io/key', true],
    ['unik/key', false],
    ['cloudfoundry.org/key', false],
    ['a/b/c', false],
    ['-key', false],
    ['', false],
    ['x'.repeat(64), false],
  ])('key %s: %p', (key, isFine) => expect(keyFault(key) === undefined).toBe(isFine));

  test('null takes away', () => {
    const before = { labels: { a: '1', b: '2' }, annotations: {} };
    expect(mergeMetadata(before, { labels: { a: null, c: '3' } })).toEqual({
      labels: { b: '2', c: '3' },
      annotations: {},
    });
  });
});
