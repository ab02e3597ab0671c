import type { GuestName } from '../model.js';
import type { Guest } from './guest.js';
import { linux } from './linux/index.js';
import { multiboot } from './multiboot/index.js';
import { nanos } from './nanos/index.js';
import { osv } from './osv/index.js';
import { rumprun } from './rumprun/index.js';
import { solo5 } from './solo5/index.js';
import { unikraft } from './unikraft/index.js';

/** The guests this version can boot. */
export const guests: Readonly<Record<GuestName, Guest>> = { linux, unikraft, nanos, osv, solo5, rumprun, multiboot };

export function guestNamed(name: GuestName): Guest {
  return guests[name];
}
