import { expect, test } from '@jest/globals';
import { nextStep, type Standing } from '../../../../cli/cf-plugin/next-step.js';
import { aDroplet } from './support.js';

const READY = { guid: 'p', state: 'READY', type: 'bits' };
const standing = (given: Partial<Standing>): Standing => ({
  app: { name: 'hello', state: 'STOPPED' },
  stack: 'unik',
  newest: READY,
  newestIsStaged: false,
  changed: true,
  ...given,
});
const STARTED = { name: 'hello', state: 'STARTED' };

test.each<[why: string, given: Partial<Standing>, expected: RegExp | undefined]>([
  ['pushed with --no-start: start stages', {}, /^Use 'cf start hello' to stage and start/],
  ['nothing was uploaded', { newest: undefined }, /^Use 'cf push hello'.*no package/],
  ['an upload that failed', { newest: { ...READY, state: 'FAILED' } }, /^Use 'cf push hello'/],
  [
    'staged for the old stack: start would not stage again',
    { newestIsStaged: true, droplet: aDroplet('cflinuxfs4') },
    /^Use 'cf restage hello', not 'cf start': its droplet was staged for stack 'cflinuxfs4'/,
  ],
  [
    'the same while it runs',
    { app: STARTED, newestIsStaged: true, droplet: aDroplet('cflinuxfs4') },
    /^Use 'cf restage hello' \('--strategy rolling'.*'cf restart' would not/,
  ],
  [
    'a new upload while it runs',
    { app: STARTED, droplet: aDroplet('cflinuxfs4') },
    /^Use 'cf restage hello'.*as before/,
  ],
  [
    'switched there and back, stopped',
    { newestIsStaged: true, droplet: aDroplet('unik') },
    /^Use 'cf start hello' to start/,
  ],
  [
    'switched there and back, running',
    { app: STARTED, newestIsStaged: true, droplet: aDroplet('unik') },
    /^Use 'cf restart hello'/,
  ],
  ['as it was, running', { app: STARTED, newestIsStaged: true, droplet: aDroplet('unik'), changed: false }, undefined],
  [
    'a droplet that was uploaded, for another stack',
    { newest: undefined, droplet: aDroplet('cflinuxfs4') },
    /^Use 'cf push hello': its droplet/,
  ],
  [
    'a droplet that was uploaded, for this one',
    { newest: undefined, droplet: aDroplet('unik') },
    /^Use 'cf start hello'/,
  ],
  ['staged, but no droplet is assigned', { newestIsStaged: true }, /^Use 'cf restage hello'.*no stack/],
])('%s', (_why, given, expected) => {
  const found = nextStep(standing(given));
  if (expected === undefined) expect(found).toBeUndefined();
  else expect(found).toMatch(expected);
});
