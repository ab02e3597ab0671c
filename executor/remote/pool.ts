import { isIPv4 } from 'node:net';
import { UnikError } from '../../core/errors.js';
import type { Place } from './driver.js';

/** Addresses that an operator gave to us alone, in one IPv4 network. */
export interface AddressPool {
  /** Of the whole network, such as `192.168.56.0/24`. */
  subnet: string;
  first: string;
  last: string;
  gateway?: string | undefined;
  dns: readonly string[];
}

/** The first address that is free. Pure. Throws insufficient_machines, config_invalid. */
export function placeIn(pool: AddressPool, taken: readonly string[]): Place {
  const [, bits = ''] = pool.subnet.split('/');
  const [first, last] = [numberOf(pool.first), numberOf(pool.last)];
  const used = new Set(taken);
  for (let at = first; at <= last; at++) {
    const address = [24, 16, 8, 0].map((shift) => (at >>> shift) & 0xff).join('.');
    if (used.has(address)) continue;
    const gateway = pool.gateway === undefined ? {} : { gateway: pool.gateway };
    return { address, net: { mode: 'static', address: `${address}/${bits}`, ...gateway, dns: [...pool.dns] } };
  }
  throw new UnikError('insufficient_machines', `all addresses from ${pool.first} to ${pool.last} are taken`);
}

/** What is known of a machine's address before it runs. */
export const addressOf = ({ place }: { place?: Place | undefined }): { address?: string } =>
  place ? { address: place.address } : {};

/** How many there are. */
export function poolSize({ first, last }: AddressPool): number {
  return Math.max(0, numberOf(last) - numberOf(first) + 1);
}

function numberOf(address: string): number {
  if (!isIPv4(address)) throw new UnikError('config_invalid', `${address} is no IPv4 address`);
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}
