import { isIPv4 } from 'node:net';
import { UnikError } from '../../../../core/errors.js';

/** An IPv4 range, first and last address as numbers. */
export interface Range {
  first: number;
  last: number;
}

/** The addresses of one machine's two /30 networks: guest to namespace, and namespace to host. */
export interface Addresses {
  /** The guest's own, and with its prefix length for the instance config. */
  guest: string;
  guestCidr: string;
  /** The namespace's end towards the guest. */
  gateway: string;
  /** The namespace's end towards the host. */
  inner: string;
  /** The host's end. */
  outer: string;
  /** Both networks as CIDR. */
  guestNet: string;
  linkNet: string;
}

export interface Subnets {
  /** CIDRs of which each machine gets a /30. */
  guest: string;
  link: string;
}

export const DEFAULT_SUBNETS: Subnets = { guest: '10.201.0.0/16', link: '10.202.0.0/16' };

/** How many machines the two ranges hold. */
export function slotsIn(subnets: Subnets): number {
  return Math.min(...[subnets.guest, subnets.link].map((cidr) => Math.floor(size(parseRange(cidr)) / 4)));
}

/** `slot` counts from 0. */
export function addressesOf(slot: number, subnets: Subnets): Addresses {
  const guest = parseRange(subnets.guest).first + 4 * slot;
  const link = parseRange(subnets.link).first + 4 * slot;
  return {
    guest: text(guest + 2),
    guestCidr: `${text(guest + 2)}/30`,
    gateway: text(guest + 1),
    inner: text(link + 2),
    outer: text(link + 1),
    guestNet: `${text(guest)}/30`,
    linkNet: `${text(link)}/30`,
  };
}

/** `a.b.c.d`, `a.b.c.d/n` or `a.b.c.d-e.f.g.h`. Throws bad_request naming what was given. */
export function parseRange(given: string): Range {
  const [start = '', end, more] = given.split('-');
  if (end !== undefined) {
    const range = { first: number(start, given), last: number(end, given) };
    if (more !== undefined || range.first > range.last) throw refused(given);
    return range;
  }
  const [address = '', bits, rest] = given.split('/');
  const prefix = bits === undefined ? 32 : Number(bits);
  if (rest !== undefined || !/^\d{1,2}$/.test(bits ?? '32') || prefix > 32) throw refused(given);
  const block = 2 ** (32 - prefix);
  const first = Math.floor(number(address, given) / block) * block;
  return { first, last: first + block - 1 };
}

export function overlap(a: Range, b: Range): boolean {
  return a.first <= b.last && b.first <= a.last;
}

/** As nftables writes it: one address, or two with a dash. */
export function rangeText({ first, last }: Range): string {
  return first === last ? text(first) : `${text(first)}-${text(last)}`;
}

function size(range: Range): number {
  return range.last - range.first + 1;
}

function number(address: string, given: string): number {
  if (!isIPv4(address)) throw refused(given);
  return address.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0);
}

function text(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}

function refused(given: string): UnikError {
  return new UnikError('bad_request', `${JSON.stringify(given)} is not an IPv4 address, a CIDR or a range`);
}
