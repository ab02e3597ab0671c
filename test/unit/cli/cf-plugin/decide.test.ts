import { describe, expect, test } from '@jest/globals';
import {
  decideDisable,
  decideEnable,
  endpointsOf,
  isUnik,
  type EnableInput,
} from '../../../../cli/cf-plugin/decide.js';
import { aStack, anApp } from './support.js';

const CONTAINERS = aStack('cflinuxfs4');
const STACKS = [
  CONTAINERS,
  aStack('unik', { 'unik-endpoints': 'http://unik.example.com:3000/, https://two:1' }),
  aStack('unik-aws'),
];

const enabling = (given: Partial<EnableInput>): EnableInput => ({
  app: anApp({ stack: 'cflinuxfs4' }),
  variables: {},
  stacks: STACKS,
  buildpacks: [],
  stack: 'unik',
  ...given,
});
const patchTo = (stack: string, previous?: string): object => ({
  lifecycle: { data: { stack } },
  metadata: {
    labels: { 'unik-enabled': 'true' },
    annotations: previous === undefined ? {} : { 'unik-previous-stack': previous },
  },
});

describe('enable', () => {
  test.each<[why: string, given: Partial<EnableInput>, expected: object]>([
    ['remembers the stack before', {}, { stack: 'unik', patch: patchTo('unik', 'cflinuxfs4') }],
    ['an app without a stack has nothing to remember', { app: anApp() }, { patch: patchTo('unik') }],
    [
      'from one provider to another, the stack before both stays remembered',
      { app: anApp({ stack: 'unik', annotations: { 'unik-previous-stack': 'cflinuxfs4' } }), stack: 'unik-aws' },
      { stack: 'unik-aws', patch: patchTo('unik-aws') },
    ],
    ['already so: nothing to do', { app: anApp({ stack: 'unik' }) }, { stack: 'unik', warnings: [] }],
    [
      'already so, another guest: the variable alone',
      { app: anApp({ stack: 'unik' }), guest: 'nanos', variables: { UNIK_GUEST: 'linux' } },
      { variables: { UNIK_GUEST: 'nanos' } },
    ],
    [
      'the same guest again: nothing',
      { guest: 'nanos', variables: { UNIK_GUEST: 'nanos' } },
      { patch: patchTo('unik', 'cflinuxfs4') },
    ],
    [
      'an endpoint of the list is kept for display',
      { endpoint: 'http://unik.example.com:3000' },
      { variables: { UNIK_ENDPOINT: 'http://unik.example.com:3000' }, patch: patchTo('unik', 'cflinuxfs4') },
    ],
    [
      'without an endpoint, that of before is forgotten',
      { variables: { UNIK_ENDPOINT: 'http://unik.example.com:3000' } },
      { variables: { UNIK_ENDPOINT: null }, patch: patchTo('unik', 'cflinuxfs4') },
    ],
    [
      'a buildpack that the stack lacks is named',
      {
        app: anApp({
          stack: 'cflinuxfs4',
          buildpacks: ['go_buildpack', 'ruby_buildpack', 'https://example.com/x.git'],
        }),
        buildpacks: [
          { name: 'go_buildpack', stack: null },
          { name: 'ruby_buildpack', stack: 'cflinuxfs4' },
        ],
      },
      {
        patch: patchTo('unik', 'cflinuxfs4'),
        warnings: [expect.stringContaining("Buildpack 'ruby_buildpack' is not offered for stack 'unik'")],
      },
    ],
  ])('%s', (_why, given, expected) => {
    expect(decideEnable(enabling(given))).toEqual({ stack: 'unik', warnings: [], ...expected });
  });

  test.each<[why: string, given: Partial<EnableInput>, code: string, text: string]>([
    ['a Docker image', { app: anApp({ type: 'docker' }) }, 'lifecycle_unsuitable', "App 'hello' is a Docker image"],
    ['cloud-native buildpacks', { app: anApp({ type: 'cnb', stack: 'x' }) }, 'lifecycle_unsuitable', "lifecycle 'cnb'"],
    ['no such stack', { stack: 'unik-arm' }, 'stack_missing', 'it has unik, unik-aws'],
    ['no unikernels here at all', { stacks: [CONTAINERS] }, 'stack_missing', 'it has no unikernel cells'],
    ['an endpoint that is not listed', { endpoint: 'http://evil:3000' }, 'endpoint_refused', 'http://evil:3000'],
    [
      'an endpoint where no list is',
      { endpoint: 'http://unik.example.com:3000', stack: 'unik-aws' },
      'endpoint_refused',
      "stack 'unik-aws'",
    ],
  ])('%s is refused', (_why, given, code, text) => {
    expect(() => decideEnable(enabling(given))).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(text) }),
    );
  });
});

describe('disable', () => {
  const on = anApp({
    stack: 'unik',
    labels: { 'unik-enabled': 'true' },
    annotations: { 'unik-previous-stack': 'cflinuxfs3' },
  });
  const back = (stack: string): object => ({
    lifecycle: { data: { stack } },
    metadata: { labels: { 'unik-enabled': null }, annotations: { 'unik-previous-stack': null } },
  });
  const disabling = (app = on, stacks = STACKS, variables: Record<string, string> = {}) =>
    decideDisable({ app, stacks, variables, buildpacks: [] });

  test('goes back to the stack before, and forgets our variables', () => {
    const found = disabling(on, [...STACKS, aStack('cflinuxfs3')], {
      UNIK_ENDPOINT: 'http://a',
      UNIK_GUEST: 'osv',
      A: 'b',
    });
    expect(found).toEqual({
      stack: 'cflinuxfs3',
      patch: back('cflinuxfs3'),
      variables: { UNIK_ENDPOINT: null, UNIK_GUEST: null },
      warnings: [],
    });
  });

  test('a stack that is gone is said, and the newest takes its place', () => {
    const found = disabling(on, [...STACKS, aStack('cflinuxfs10')]);
    expect(found).toMatchObject({
      stack: 'cflinuxfs10',
      warnings: ["Stack 'cflinuxfs3', which it had before, is gone."],
    });
  });

  test("pushed with `-s unik`: the platform's default", () => {
    expect(disabling(anApp({ stack: 'unik' }), [...STACKS, aStack('windows', {}, true)])).toMatchObject({
      stack: 'windows',
    });
    expect(disabling(anApp({ stack: 'unik' }))).toMatchObject({ stack: 'cflinuxfs4' });
  });

  test('a push with another stack came between: only the marks go', () => {
    const app = anApp({ stack: 'cflinuxfs4', labels: { 'unik-enabled': 'true' } });
    const { metadata } = back('') as { metadata: object };
    expect(disabling(app)).toEqual({ stack: 'cflinuxfs4', patch: { metadata }, warnings: [] });
  });

  test('not enabled: nothing', () => expect(disabling(anApp({ stack: 'cflinuxfs4' }))).toBeUndefined());

  test('no stack for containers is an error, not a guess', () => {
    expect(() => disabling(on, [aStack('unik')])).toThrow(expect.objectContaining({ code: 'stack_missing' }));
  });
});

test.each([
  ['unik', true],
  ['unik-aws', true],
  ['unikernel', false],
  ['cflinuxfs4', false],
  ['', false],
  [null, false],
])('stack %j is ours: %s', (name, expected) => expect(isUnik(name)).toBe(expected));

test("a stack's endpoints: what is no URL is no endpoint", () => {
  const row = aStack('unik', { 'unik-endpoints': 'http://A:80/ nonsense,https://b:8443' });
  expect(endpointsOf(row)).toEqual(['http://a', 'https://b:8443']);
  expect(endpointsOf(aStack('unik'))).toEqual([]);
});
