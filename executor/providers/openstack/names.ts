import { createHash } from 'node:crypto';
import type { Owner } from '../../model.js';

/** Of servers: whose they are, and which. This is the truth; names are for people. */
export const METADATA = { owner: 'unik:owner', key: 'unik:key' } as const;

/** Of images. */
export const PROPERTIES = { owner: 'unik_owner', disk: 'unik_disk' } as const;

/** What servers of one owner are listed by; a tag holds neither slashes nor more than 60 characters. */
export const tagOf = (owner: Owner): string => `unik-${createHash('sha256').update(owner).digest('hex').slice(0, 40)}`;

/** Ports have no metadata; they are listed by this. */
export const describedAs = (owner: Owner): string => `unik:owner=${owner}`.slice(0, 255);
