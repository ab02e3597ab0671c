import { UnikError } from '../../core/errors.js';
import { guests } from '../../executor/guests/index.js';
import { GUESTS, type GuestName } from '../../executor/model.js';

export interface GuestChoice {
  guest: GuestName;
  /** For people. */
  why: string;
}

/**
 * The guest that an application asks for (`UNIK_GUEST`) among those whose kernels the operator offers (`UNIK_KERNELS`,
 * names of abis such as `linux-virtio-1`, or of guests, apart by commas; default `linux`). Linux runs everything, so
 * it is what is chosen where nothing is asked for. Throws guest_unsupported.
 */
export function chooseGuest(wish: string | undefined, kernels: string | undefined): GuestChoice {
  const named = (kernels ?? '').split(/[\s,]+/).filter((abi) => abi !== '');
  const abis = named.length > 0 ? named : ['linux'];
  const offered = GUESTS.filter(
    (guest) => guests[guest] !== undefined && abis.some((abi) => abi === guest || abi.startsWith(`${guest}-`)),
  );
  const list = offered.join(', ') || 'none that this version knows';
  if (wish === undefined || wish === '') {
    const [first] = offered;
    if (first === undefined) throw new UnikError('guest_unsupported', `UNIK_KERNELS=${abis.join(',')} offers no guest`);
    return offered.includes('linux')
      ? { guest: 'linux', why: `it runs any Linux program (offered: ${list})` }
      : { guest: first, why: `the first of those offered: ${list}` };
  }
  const guest = GUESTS.find((name) => name === wish);
  if (guest === undefined) {
    throw new UnikError('guest_unsupported', `UNIK_GUEST=${wish} is no guest; there are ${GUESTS.join(', ')}`);
  }
  if (!offered.includes(guest)) {
    throw new UnikError('guest_unsupported', `UNIK_GUEST=${wish} is not offered here, offered: ${list}`);
  }
  return { guest, why: 'UNIK_GUEST asks for it' };
}
