import { createHash } from 'node:crypto';
import type { Key, Owner } from '../model.js';

const short = (owner: Owner): string => createHash('sha256').update(owner).digest('hex').slice(0, 12);

/** What the names of an owner's machines begin with. Short: vSphere's names have at most 80 characters. */
export const prefixOf = (owner: Owner): string => `unik-${short(owner)}-`;

/** Of a machine, and of what belongs to it alone. */
export const nameOf = ({ owner, key }: { owner: Owner; key: Key }): string => `${prefixOf(owner)}${key}`;

/** Of an image of one disk. */
export const imageName = (digest: string, owner: Owner): string => `unik-${digest.slice(0, 40)}-${short(owner)}`;
