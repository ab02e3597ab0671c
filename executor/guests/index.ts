import { UnikError } from '../../core/errors.js';
import type { GuestName } from '../model.js';
import type { Guest } from './guest.js';
import { linux } from './linux/index.js';

/** The guests this version can boot. */
export const guests: Partial<Record<GuestName, Guest>> = { linux };

/** Throws guest_unsupported. */
export function guestNamed(name: GuestName): Guest {
  const guest = guests[name];
  if (guest) return guest;
  const known = Object.keys(guests).join(', ');
  throw new UnikError('guest_unsupported', `guest ${name} is not part of this version, which has: ${known}`);
}
