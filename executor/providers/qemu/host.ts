import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { addressesOf, overlap, parseRange, type Range, type Subnets } from './net/addresses.js';

/** Every IPv4 address of this host; a guest must reach none of them. */
export function hostAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ family }) => family === 'IPv4')
    .map(({ address }) => address);
}

/** Networks that this host has routes to, so that machines of another home, or a neighbour's network, are avoided. */
export async function routedRanges(): Promise<Range[]> {
  return parseRoutes(await readFile('/proc/net/route', 'utf8'));
}

/** `table` as in /proc/net/route: a heading, then lines whose 2nd and 8th fields are little-endian hex words. */
export function parseRoutes(table: string): Range[] {
  const word = (hex: string): number => Buffer.from(hex, 'hex').readUInt32LE();
  return table
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t'))
    .map(([, destination = '', , , , , , mask = '']) => {
      const first = word(destination);
      return { first, last: first + (0xffffffff - word(mask)) };
    });
}

export function slotIsUnrouted(slot: number, subnets: Subnets, routed: readonly Range[]): boolean {
  const { guestNet, linkNet } = addressesOf(slot, subnets);
  const ours = [parseRange(guestNet), parseRange(linkNet)];
  // A route that covers a whole configured range is a neighbour's business, not a machine's.
  return !routed.some((range) => range.last - range.first < 256 && ours.some((own) => overlap(own, range)));
}

/** Names this home in shared places: nftables tables, interfaces. */
export function homeTag(home: string): string {
  return createHash('sha256').update(home).digest('hex').slice(0, 8);
}

/**
 * First of the accounts that machines of this home run as, one per slot. In the part of the number space that
 * neither users, containers nor systemd give out; homes are apart from each other (2^12 blocks of 2^16).
 */
export function uidBase(home: string): number {
  return 0x70000000 + (parseInt(homeTag(home).slice(0, 3), 16) << 16);
}
