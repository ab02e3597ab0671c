import { expect, test } from '@jest/globals';
import { parseFlags } from '../../../../stager/lifecycle/flags.js';
import { failure } from '../../../support/failure.js';

const KINDS = { booleans: ['skipDetect', 'skipCertVerify'], texts: { buildDir: '/tmp/app', order: '' } } as const;

test.each<[argv: string[], skip: boolean, order: string]>([
  [['-skipDetect=true', '-order=a,b'], true, 'a,b'],
  [['--skipDetect', '--order', 'a=b'], true, 'a=b'],
  [['-skipDetect=false', '-order='], false, ''],
  [[], false, ''],
])('%j', (argv, skip, order) => {
  const { booleans, texts } = parseFlags(argv, KINDS);
  expect(booleans).toEqual({ skipDetect: skip, skipCertVerify: false });
  expect(texts).toEqual({ buildDir: '/tmp/app', order });
});

test.each([[['-what=1']], [['-skipDetect=perhaps']], [['-order']]])('%j is refused', async (argv) => {
  expect((await failure(() => parseFlags(argv, KINDS))).code).toBe('usage');
});
