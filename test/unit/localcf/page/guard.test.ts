import { describe, expect, test } from '@jest/globals';
import { isLoopback, prefersHtml, refusal, type Knock } from '../../../../localcf/page/guard.js';

const OPTIONS = { hosts: ['api.unik.test'], token: 'secret', owners: [1_000] };
const get = (given: Partial<Knock> = {}, headers: Record<string, string | undefined> = {}): Knock => ({
  method: 'GET',
  headers: { host: '127.0.0.1:8181', ...headers },
  remote_address: '127.0.0.1',
  peer_uid: 1_000,
  ...given,
});
const press = (headers: Record<string, string | undefined> = {}): Knock =>
  get({ method: 'POST' }, { origin: 'http://127.0.0.1:8181', 'x-unik-page': 'secret', ...headers });

describe('who may see and press', () => {
  test.each<[why: string, knock: Knock]>([
    ['the user, by address', get()],
    ['by name', get({}, { host: 'LOCALHOST:8181' })],
    ['by IPv6', get({ remote_address: '::1' }, { host: '[::1]:8181' })],
    ['by the name of the API', get({}, { host: 'api.unik.test' })],
    ['root', get({ peer_uid: 0 })],
    ['a button of our page', press()],
    ['a button, in a browser that says where it is', press({ 'sec-fetch-site': 'same-origin' })],
    ['a button from curl with the token', press({ origin: undefined })],
  ])('%s', (_why, knock) => expect(refusal(knock, OPTIONS)).toBeUndefined());

  test.each<[why: string, knock: Knock, text: RegExp]>([
    ['another machine', get({ remote_address: '10.0.0.7' }), /own machine only/],
    ['another machine, dual stack', get({ remote_address: '::ffff:10.0.0.7' }), /own machine only/],
    ['a name that was bent to the loopback', get({}, { host: 'evil.example:8181' }), /not served under that name/],
    ['a name that only begins like ours', get({}, { host: 'localhost.evil.example' }), /not served/],
    ['no name', get({}, { host: undefined }), /not served/],
    ['another user', get({ peer_uid: 1_001 }), /for the user who started it/],
    ['a user who cannot be found', get({ peer_uid: undefined }), /for the user who started it/],
    ['a button on another page', press({ origin: 'http://evil.example' }), /on another page/],
    ['a button on another port', press({ origin: 'http://127.0.0.1:9' }), /on another page/],
    ['a button in a sandboxed frame', press({ origin: 'null' }), /on another page/],
    ['a form of another site', press({ 'sec-fetch-site': 'cross-site' }), /on another page/],
    ['a button without the token', press({ 'x-unik-page': undefined }), /load it again/],
    ['a button of an earlier start', press({ 'x-unik-page': 'old' }), /load it again/],
  ])('%s: refused', (_why, knock, text) => expect(refusal(knock, OPTIONS)).toMatch(text));
});

test.each([
  ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', true],
  ['application/json', false],
  ['application/json, text/html;q=0.9', false],
  ['text/html;q=0.5, application/json;q=0.1', true],
  ['*/*', false],
  [undefined, false],
  ['text/html;q=nonsense', false],
])('Accept: %s wants the page: %s', (accept, expected) => expect(prefersHtml(accept)).toBe(expected));

test.each([
  ['127.0.0.1', true],
  ['127.9.9.9', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['10.0.0.1', false],
  ['::ffff:10.127.0.1', false],
  ['', false],
])('%s is the loopback: %s', (address, expected) => expect(isLoopback(address)).toBe(expected));
