import { expect, test } from '@jest/globals';
import { tellsKernel } from '../../../backend/cell/store/story.js';
import { anOrder } from '../../support/cell/samples.js';

test.each<[env: [string, string][], tells: boolean]>([
  [[], true],
  [[['UNIK_KERNEL_LOG', 'on']], true],
  [[['UNIK_KERNEL_LOG', 'off']], false],
  [
    [
      ['UNIK_KERNEL_LOG', 'off'],
      ['OTHER', 'x'],
      ['UNIK_KERNEL_LOG', 'on'],
    ],
    true,
  ],
])('with %j the kernel is heard: %p', (env, tells) => {
  const { launch } = anOrder();
  expect(tellsKernel({ launch: { ...launch, env } })).toBe(tells);
});
