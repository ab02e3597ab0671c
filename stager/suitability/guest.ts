import { UnikError } from '../../core/errors.js';
import { GUESTS, type GuestName } from '../../executor/model.js';

export interface GuestChoice {
  /** The first of them that the suitability check clears is taken. */
  candidates: GuestName[];
  /** Somebody asked for it: then there is one candidate. */
  asked: boolean;
  /** For people. */
  why: string;
}

/** By what a machine of each takes, smallest first. Those whose images are kernels are never guessed. */
const BY_SIZE = ['unikraft', 'nanos', 'osv', 'linux'] as const satisfies readonly GuestName[];

/**
 * The guests that an application may get: the one it asks for (`UNIK_GUEST`), else all whose kernels are offered, the
 * smallest first. `kernels` (`UNIK_KERNELS`): names of abis such as `linux-virtio-1`, or of guests, apart by commas;
 * default `linux`. Throws guest_unsupported.
 */
export function chooseGuest(wish: string | undefined, kernels: string | undefined): GuestChoice {
  const named = (kernels ?? '').split(/[\s,]+/).filter((abi) => abi !== '');
  const abis = named.length > 0 ? named : ['linux'];
  const isOffered = (guest: GuestName): boolean =>
    abis.some((abi) => abi === guest || abi.startsWith(`${guest}-`)) || BRINGS_KERNEL.has(guest);
  const offered = GUESTS.filter(isOffered);
  if (wish === undefined || wish === '') {
    const candidates = BY_SIZE.filter(isOffered);
    if (candidates.length === 0) {
      throw new UnikError('guest_unsupported', `UNIK_KERNELS=${abis.join(',')} offers no guest that runs applications`);
    }
    return { candidates, asked: false, why: `smallest first of those with a kernel here: ${candidates.join(', ')}` };
  }
  const guest = GUESTS.find((name) => name === wish);
  if (guest === undefined) {
    throw new UnikError('guest_unsupported', `UNIK_GUEST=${wish} is no guest; there are ${GUESTS.join(', ')}`);
  }
  if (!offered.includes(guest)) {
    const list = offered.join(', ');
    throw new UnikError('guest_unsupported', `UNIK_GUEST=${wish} has no kernel here; there are kernels for: ${list}`);
  }
  return { candidates: [guest], asked: true, why: 'asked for' };
}

/** The image is the kernel, so none need be offered. */
const BRINGS_KERNEL: ReadonlySet<GuestName> = new Set(['solo5', 'rumprun', 'multiboot']);
