import { describe, expect, test } from '@jest/globals';
import { appRow, concernsUnik, imageOf, rowsText, type RowInput } from '../../../../cli/cf-plugin/app-row.js';
import { bootTimes } from '../../../../cli/cf-plugin/boot-time.js';
import { versionWith } from '../../../../buildpack/src/launch.js';
import { aDroplet, aStack, anApp } from './support.js';

const DIGEST = `sha256:3f2a91c07d4e${'0'.repeat(52)}`;
const VERSION = versionWith('0.1.0', {
  guest: 'linux',
  digest: DIGEST,
  root: { format: 'erofs', file: 'root.erofs', digest: DIGEST, bytes: 2_202_010 },
});
const line = (ms: number, text: string, instance?: string) => ({
  at: BigInt(ms) * 1_000_000n,
  text,
  ...(instance === undefined ? {} : { instance }),
});
const boot = (guid: string, from: number, to: number) => [
  line(from, `Cell c1 successfully created container for instance ${guid}`, guid),
  line(to, 'Container became healthy', guid),
];
const input = (given: Partial<RowInput> = {}): RowInput => ({
  app: anApp({ stack: 'unik', state: 'STARTED' }),
  droplet: aDroplet('unik', VERSION),
  stacks: [aStack('unik', { 'unik-provider': 'qemu' })],
  instances: [
    { state: 'RUNNING', instance_guid: 'a' },
    { state: 'RUNNING', instance_guid: 'b' },
    { state: 'STARTING', instance_guid: 'c' },
  ],
  lines: [...boot('a', 1_000, 2_500), ...boot('b', 1_000, 3_250)],
  variables: {},
  ...given,
});

test('a running app', () => {
  expect(appRow(input())).toEqual({
    name: 'hello',
    state: 'started',
    stack: 'unik',
    droplet_stack: 'unik',
    guest: 'linux',
    provider: 'qemu',
    image: { digest: '3f2a91c07d4e', bytes: 2_202_010 },
    instances: { running: 2, wanted: 3 },
    boot_ms: 2_250,
    endpoint: null,
  });
  expect(rowsText([appRow(input())])).toBe(
    [
      'name   state    stack  guest  provider  instances  image         size    boot',
      'hello  started  unik   linux  qemu      2/3        3f2a91c07d4e  2.1 MB  2.3 s',
    ].join('\n'),
  );
});

test.each<[why: string, given: Partial<RowInput>, expected: object, text: string]>([
  [
    'not staged yet',
    { droplet: undefined, instances: [], variables: { UNIK_GUEST: 'osv', UNIK_ENDPOINT: 'http://u' } },
    { droplet_stack: null, guest: 'osv', image: null, boot_ms: null, endpoint: 'http://u' },
    'unik (not staged)',
  ],
  [
    'staged for containers',
    { droplet: aDroplet('cflinuxfs4', VERSION) },
    { image: null, guest: null },
    'unik (droplet: cflinuxfs4)',
  ],
  [
    'a droplet that says nothing of its image',
    { droplet: aDroplet('unik', '1.2.3') },
    { image: null, guest: null },
    ' - ',
  ],
  ['the default provider, not annotated', { stacks: [aStack('unik')] }, { provider: 'default' }, 'default'],
  ['a provider in the name', { app: anApp({ stack: 'unik-aws' }), stacks: [] }, { provider: 'aws' }, 'aws'],
  ['switched back', { app: anApp({ stack: 'cflinuxfs4' }) }, { provider: null }, 'cflinuxfs4 (droplet: unik)'],
])('%s', (_why, given, expected, text) => {
  const row = appRow(input(given));
  expect(row).toMatchObject(expected);
  expect(rowsText([row])).toContain(text);
});

test.each([
  ['its stack', anApp({ stack: 'unik-aws' }), undefined, true],
  ['its droplet', anApp({ stack: 'cflinuxfs4' }), aDroplet('unik'), true],
  ['its label', anApp({ stack: 'cflinuxfs4', labels: { 'unik-enabled': 'true' } }), undefined, true],
  ['nothing', anApp({ stack: 'cflinuxfs4' }), aDroplet('cflinuxfs4'), false],
])('an app is listed by %s', (_why, app, droplet, expected) => expect(concernsUnik(app, droplet)).toBe(expected));

describe('what a version says', () => {
  test.each([undefined, null, '1.2.3', '1.2.3+build', '1+linux.xyz.1', '1+linux.3f2a91c07d4e.'])(
    '%j: nothing',
    (version) => {
      expect(imageOf(aDroplet('unik', version ?? undefined))).toBeUndefined();
    },
  );
  test('the image', () => {
    expect(VERSION).toBe('0.1.0+linux.3f2a91c07d4e.2202010');
    expect(imageOf(aDroplet('unik', VERSION))).toEqual({ guest: 'linux', digest: '3f2a91c07d4e', bytes: 2_202_010 });
  });
});

describe('boot times', () => {
  test('in whatever order the lines come; the first time healthy counts', () => {
    const lines = [...boot('a', 10, 60), line(90, 'Container became healthy', 'a'), ...boot('b', 20, 50)];
    expect([...bootTimes(lines.reverse())]).toEqual([
      ['b', 30],
      ['a', 50],
    ]);
  });
  test('half of it is nothing', () => {
    expect(bootTimes([line(1, 'Container became healthy', 'a')]).size).toBe(0);
    expect(bootTimes(boot('a', 1, 2).slice(0, 1)).size).toBe(0);
    expect(bootTimes([line(1, 'Container became healthy')]).size).toBe(0);
  });
});
