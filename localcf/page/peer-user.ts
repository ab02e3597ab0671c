import { readFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';

export interface Ends {
  /** Of the other side, as our socket sees it. */
  peer: { address: string; port: number };
  own: { port: number };
}

/**
 * The user at the other end of a connection over the loopback, from the kernel's table of connections: that of the row
 * whose local end is the peer and whose remote end is our port. Undefined: there is none. Source: Linux proc(5).
 */
export async function peerUser(ends: Ends, folder = '/proc/net'): Promise<number | undefined> {
  const four = ends.peer.address.replace(/^::ffff:/, '');
  // A dual-stack socket of ours meets a plain IPv4 socket of theirs, and the other way about.
  for (const file of isIPv4(four) ? ['tcp', 'tcp6'] : ['tcp6']) {
    const found = userIn(await readFile(`${folder}/${file}`, 'latin1'), ends);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Pure: the uid in the text of such a table. Ports are enough: on one loopback a pair of them is unique. */
export function userIn(table: string, { peer, own }: Ends): number | undefined {
  const [local, remote] = [peer.port, own.port].map(hexPort);
  for (const line of table.split('\n')) {
    const [, from, to, , , , , uid] = line.trim().split(/\s+/);
    const [address, port] = from?.split(':') ?? [];
    if (port !== local || to?.split(':')[1] !== remote || uid === undefined) continue;
    if (isLoopbackHex(address ?? '')) return Number(uid);
  }
  return undefined;
}

const hexPort = (port: number): string => port.toString(16).toUpperCase().padStart(4, '0');

/** The kernel writes each 32-bit word in the order of the host's bytes, which is little-endian on all we run on. */
const isLoopbackHex = (address: string): boolean =>
  /^[0-9A-F]{6}7F$/.test(address) ||
  address === '00000000000000000000000001000000' ||
  /^0000000000000000FFFF0000[0-9A-F]{6}7F$/.test(address);
