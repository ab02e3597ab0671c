import { expect, test } from '@jest/globals';
import { chooseGuest } from '../../../../stager/suitability/guest.js';
import type { GuestName } from '../../../../executor/model.js';
import { failure } from '../../../support/failure.js';

test.each<[wish: string | undefined, kernels: string | undefined, candidates: GuestName[]]>([
  [undefined, undefined, ['linux']],
  ['', '', ['linux']],
  ['linux', undefined, ['linux']],
  ['linux', 'linux-virtio-1', ['linux']],
  [undefined, 'linux-virtio-1 unikraft-elfloader-1', ['unikraft', 'linux']],
  [undefined, 'osv-rofs-1,linux,nanos,unikraft', ['unikraft', 'nanos', 'osv', 'linux']],
  ['nanos', 'nanos-1,linux-virtio-1', ['nanos']],
  // Its image is its kernel, so none need be offered.
  ['solo5', undefined, ['solo5']],
])('UNIK_GUEST=%s with UNIK_KERNELS=%s may be %j', (wish, kernels, candidates) => {
  expect(chooseGuest(wish, kernels).candidates).toEqual(candidates);
});

test.each<[wish: string | undefined, kernels: string | undefined, named: RegExp]>([
  ['windows', undefined, /windows is no guest; there are linux, unikraft/],
  ['unikraft', undefined, /unikraft has no kernel here; there are kernels for: linux/],
  ['linux', 'unikraft-elfloader-1', /linux has no kernel here/],
  [undefined, 'freebsd', /offers no guest/],
])('UNIK_GUEST=%s with UNIK_KERNELS=%s is refused', async (wish, kernels, named) => {
  const refusal = await failure(() => chooseGuest(wish, kernels));
  expect(refusal.code).toBe('guest_unsupported');
  expect(refusal.message).toMatch(named);
});
