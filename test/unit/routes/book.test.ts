import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Advert } from '../../../backend/routes/adverts.js';
import { RouteBook } from '../../../backend/routes/book.js';

const advert = (uri: string, port: number, instance = 'a'): Advert => ({
  ...{ family: 'router', key: `${uri} ${port}` },
  message: { host: '10.0.0.1', port, uris: [uri], private_instance_id: instance },
});
const at = (now: number) => ({ now, keep_ms: 100 });
const keys = (adverts: Advert[]): string[] => adverts.map(({ key }) => key);

test('what is new is registered, what is gone is unregistered, what stays is left alone', () => {
  const book = new RouteBook();
  expect(keys(book.set('a', [advert('one', 1), advert('two', 1)], at(0)).register)).toEqual(['one 1', 'two 1']);
  const { register, unregister } = book.set('a', [advert('two', 1), advert('three', 1)], at(0));
  expect([keys(register), keys(unregister)]).toEqual([['three 1'], ['one 1']]);
  expect(keys(book.all())).toEqual(['two 1', 'three 1']);
});

test('a registration that says something else is said again', () => {
  const book = new RouteBook();
  book.set('a', [advert('one', 1)], at(0));
  const changed = { ...advert('one', 1), message: { ...advert('one', 1).message, tags: { new: 'tag' } } };
  expect(keys(book.set('a', [changed], at(0)).register)).toEqual(['one 1']);
});

test('a goodbye is repeated while a router may remember, and no longer', () => {
  const book = new RouteBook();
  book.set('a', [advert('one', 1)], at(0));
  book.set('a', [], at(10));
  expect(keys(book.goodbyes(110))).toEqual(['one 1']);
  expect(book.goodbyes(111)).toEqual([]);
});

test('while nobody could hear it a goodbye does not grow old', () => {
  const book = new RouteBook();
  book.set('a', [advert('one', 1)], at(0));
  book.set('a', [], at(10));
  book.renew(at(5_000));
  expect(keys(book.goodbyes(5_100))).toEqual(['one 1']);
  expect(book.goodbyes(5_101)).toEqual([]);
});

test('the port of a newer instance is never said goodbye to, neither then nor later', () => {
  const book = new RouteBook();
  book.set('a', [advert('one', 1, 'a')], at(0));
  // The newer one comes first, ...
  expect(keys(book.set('b', [advert('one', 1, 'b')], at(1)).register)).toEqual(['one 1']);
  expect(book.set('a', [], at(2))).toEqual({ register: [], unregister: [] });
  expect(book.goodbyes(2)).toEqual([]);
  expect(book.all().map(({ message }) => message.private_instance_id)).toEqual(['b']);
  // ... or after the goodbye, which is not repeated then.
  book.set('b', [], at(3));
  expect(keys(book.goodbyes(3))).toEqual(['one 1']);
  book.set('c', [advert('one', 1, 'c')], at(4));
  expect(book.goodbyes(4)).toEqual([]);
});

test('whatever happens in whatever order, a router that hears all of it knows exactly the entries that stand', () => {
  const guids = ['a', 'b', 'c'];
  const move = fc.record({
    guid: fc.constantFrom(...guids),
    entries: fc.array(fc.record({ uri: fc.constantFrom('one', 'two'), port: fc.constantFrom(1, 2) }), { maxLength: 3 }),
    repeat: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(move, { maxLength: 30 }), (moves) => {
      const book = new RouteBook();
      // As gorouter: by address, whatever the instance.
      const router = new Map<string, string | null | undefined>();
      const hear = (adverts: Advert[]) => {
        for (const { key, message } of adverts) router.set(key, message.private_instance_id);
      };
      const now = at(0);
      for (const { guid, entries, repeat } of moves) {
        const { register, unregister } = book.set(
          guid,
          entries.map(({ uri, port }) => advert(uri, port, guid)),
          now,
        );
        hear(register);
        for (const { key } of unregister) router.delete(key);
        if (repeat) {
          for (const { key } of book.goodbyes(0)) router.delete(key);
          hear(book.all());
        }
        const stands = new Map(book.all().map(({ key, message }) => [key, message.private_instance_id]));
        expect(new Map([...router].sort())).toEqual(new Map([...stands].sort()));
        expect(book.size).toBe(stands.size);
      }
    }),
  );
});
