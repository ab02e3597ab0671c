import type { GuestCapabilities } from '../../executor/guests/guest.js';
import { guests } from '../../executor/guests/index.js';
import type { GuestName } from '../../executor/model.js';

/** What a guest says of itself: the only thing that rules go by. */
export function capabilitiesOf(guest: GuestName): GuestCapabilities {
  return guests[guest].capabilities;
}
