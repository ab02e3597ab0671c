import { UnikError } from '../../../core/errors.js';
import { Encoder, type Tuple } from './encode.js';
import { extension, SECTOR } from './log.js';
import { INSTANCE } from './write.js';

/** The root of every log is the first thing in its dictionary. */
const ROOT = 1;

/**
 * What an instance writes over the file system at `INSTANCE.sector`: new values of the root's attributes.
 * Throws environment_too_large.
 */
export function instanceExtension(attributes: Tuple): Buffer {
  const encoder = new Encoder();
  encoder.update(ROOT, attributes);
  const record = encoder.bytes();
  const made = extension(INSTANCE.sectors, { record });
  if (made) return made;
  const most = INSTANCE.sectors * SECTOR;
  throw new UnikError(
    'environment_too_large',
    `the environment and arguments take ${record.length} bytes, the guest nanos takes ${most}`,
  );
}

/** One sector of /etc/resolv.conf: the name servers, then empty lines. */
export function resolverSector(servers: readonly string[]): Buffer {
  const text = servers.map((server) => `nameserver ${server}\n`).join('');
  return Buffer.from(text.slice(0, SECTOR).padEnd(SECTOR, '\n'));
}
