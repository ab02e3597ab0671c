import { createServer } from 'node:net';
import { hasCode } from '../../../core/errors.js';

/**
 * Takes a slot's addresses for this host while their machine is being wired up. Routes tell of machines that are there
 * already; this tells of those about to be, also of another home. An abstract socket belongs to the host's network, as
 * the addresses do, and goes with our process. Gives what lets go of it, or undefined when another has it.
 */
export function claimSlot(slot: number, guestSubnet: string): Promise<(() => void) | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.unref();
    server.once('error', (err) => {
      if (hasCode(err, 'EADDRINUSE')) resolve(undefined);
      else reject(err);
    });
    server.listen(`\0unik-slot-${guestSubnet}-${slot}`, () => resolve(() => void server.close()));
  });
}
