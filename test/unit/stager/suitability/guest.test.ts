import { expect, test } from '@jest/globals';
import { chooseGuest } from '../../../../stager/suitability/guest.js';
import { failure } from '../../../support/failure.js';

test.each<[wish: string | undefined, kernels: string | undefined]>([
  [undefined, undefined],
  ['', ''],
  ['linux', undefined],
  ['linux', 'linux-virtio-1'],
  [undefined, 'unikraft-elfloader-env256, linux-virtio-1'],
])('UNIK_GUEST=%s with UNIK_KERNELS=%s is linux', (wish, kernels) => {
  expect(chooseGuest(wish, kernels).guest).toBe('linux');
});

test.each<[wish: string | undefined, kernels: string | undefined, named: RegExp]>([
  ['windows', undefined, /windows is no guest; there are linux, unikraft/],
  ['unikraft', undefined, /unikraft is not offered here, offered: linux/],
  ['linux', 'unikraft-elfloader-env256', /linux is not offered here/],
  [undefined, 'freebsd', /offers no guest/],
])('UNIK_GUEST=%s with UNIK_KERNELS=%s is refused', async (wish, kernels, named) => {
  const refusal = await failure(() => chooseGuest(wish, kernels));
  expect(refusal.code).toBe('guest_unsupported');
  expect(refusal.message).toMatch(named);
});
