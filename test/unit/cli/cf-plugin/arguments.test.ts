import { expect, test } from '@jest/globals';
import { endpointOf, parseOrder, type Order } from '../../../../cli/cf-plugin/arguments.js';

test.each<[line: string, order: Order]>([
  ['enable-unik hello', { command: 'enable-unik', wish: { app: 'hello' } }],
  [
    'enable-unik hello http://unik:3000/',
    { command: 'enable-unik', wish: { app: 'hello', endpoint: 'http://unik:3000' } },
  ],
  [
    'enable-unik --guest nanos hello --provider=aws',
    { command: 'enable-unik', wish: { app: 'hello', guest: 'nanos', provider: 'aws' } },
  ],
  ['disable-unik hello', { command: 'disable-unik', app: 'hello' }],
  ['unik-apps', { command: 'unik-apps', json: false }],
  ['unik-status --json', { command: 'unik-apps', json: true }],
])('%s', (line, order) => expect(parseOrder(line.split(' '))).toEqual(order));

test.each<[line: string, text: string]>([
  ['enable-unik', '`APP_NAME` was not provided'],
  ['enable-unik a http://b:1 c', "unexpected argument 'c'"],
  ['enable-unik a b', 'ENDPOINT is http://HOST:PORT'],
  ['enable-unik a http://b:1 --provider aws', 'both choose the stack'],
  ['enable-unik a --provider AWS', '--provider takes a name'],
  ['enable-unik a --guest ../x', '--guest takes a name'],
  ['enable-unik a --provider', '--provider'],
  ['enable-unik a --force', "'--force'"],
  ['disable-unik', '`APP_NAME` was not provided'],
  ['disable-unik a b', "unexpected argument 'b'"],
  ['unik-apps a', "unexpected argument 'a'"],
  ['push', "'push' is no command of this plugin"],
])('%s is refused', (line, text) => {
  expect(() => parseOrder(line.split(' '))).toThrow(
    expect.objectContaining({ code: 'usage', message: expect.stringContaining(text) }),
  );
});

test.each([
  ['http://unik', 'http://unik'],
  ['https://UNIK:443/', 'https://unik'],
  ['http://[::1]:3000', 'http://[::1]:3000'],
])('endpoint %s', (text, expected) => expect(endpointOf(text)).toBe(expected));

test.each([
  '',
  'unik:3000',
  'ftp://unik',
  'http://user:word@unik',
  'http://unik/path',
  'http://unik/?q',
  'http://unik/#f',
])('no endpoint: %j', (text) => expect(() => endpointOf(text)).toThrow('ENDPOINT is'));
