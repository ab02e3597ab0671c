import { isIPv6 } from 'node:net';
import { UnikError } from '../../../../core/errors.js';
import type { EgressPolicy, EgressRule, PortMapping } from '../../../model.js';
import { parseRange, rangeText } from './addresses.js';

/** Interface names inside a machine's namespace. */
export const TAP = 'tap0';
export const UPLINK = 'up0';

export interface InnerRules {
  guest: string;
  /** Name servers the guest may ask whatever else is denied. */
  dns: readonly string[];
  /** CIDRs never reached, beside those that no machine ever reaches. */
  deny: readonly string[];
  policy: EgressPolicy;
  /** Ports that arrive at the namespace's own address and belong to the guest (user-mode uplink only). */
  forward?: readonly PortMapping[];
}

/** What no machine may reach: "this network", loopback, and link-local where cloud metadata lives. */
const NEVER = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16'];

/**
 * The nftables ruleset of a machine's own namespace: everything closed, then what the policy opens.
 * The guest cannot change it: nothing in the namespace has the capability.
 */
export function innerRuleset({ guest, dns, deny, policy, forward }: InnerRules): string {
  const denied = [...NEVER, ...deny, ...policy.deny].filter((cidr) => !isIPv6(cidr.split('/')[0] ?? ''));
  const fromGuest = `iifname "${TAP}" oifname "${UPLINK}"`;
  return lines([
    'table inet unik {',
    `  set denied { type ipv4_addr; flags interval; auto-merge; elements = { ${ranges(denied)} }; }`,
    '  chain input {',
    '    type filter hook input priority filter; policy drop;',
    '    iif lo accept',
    '    ct state established,related accept',
    '    meta l4proto icmp accept',
    '  }',
    '  chain forward {',
    '    type filter hook forward priority filter; policy drop;',
    '    ct state established,related accept',
    `    iifname "${UPLINK}" oifname "${TAP}" ip daddr ${guest} accept`,
    `    iifname "${TAP}" ip saddr != ${guest} drop`,
    ...dns.map(
      (server) =>
        `    ${fromGuest} ip daddr ${rangeText(parseRange(server))} meta l4proto { tcp, udp } th dport 53 accept`,
    ),
    `    ${fromGuest} ip daddr @denied reject with icmpx admin-prohibited`,
    ...(policy.rules ?? [ANYWHERE]).flatMap(egressMatches).map((match) => `    ${fromGuest} ${match} accept`),
    `    ${fromGuest} reject with icmpx admin-prohibited`,
    '  }',
    ...(forward ? userUplink(guest, forward) : []),
    '}',
  ]);
}

export interface BridgeRules {
  mac: string;
  /** Absent: DHCP gives it one. */
  address: string | undefined;
  deny: readonly string[];
  policy: EgressPolicy;
}

/**
 * The ruleset of a machine's own namespace where it is joined to a bridge: frames of the guest's hardware and network
 * address only, and no new connections but those of the policy. Without connection tracking there, an answer is what does not
 * begin a TCP connection; of UDP, the guest may ask name and address servers, and what the policy opens.
 */
export function bridgeRuleset({ mac, address, deny, policy }: BridgeRules): string {
  const denied = [...NEVER.slice(1), ...deny, ...policy.deny].filter((cidr) => !isIPv6(cidr.split('/')[0] ?? ''));
  const fromGuest = `iifname "${TAP}"`;
  const opens = ['tcp flags & (syn | ack) == syn', 'ip protocol != tcp'];
  return lines([
    'table bridge unik {',
    `  set denied { type ipv4_addr; flags interval; auto-merge; elements = { ${ranges(denied)} }; }`,
    '  chain forward {',
    '    type filter hook forward priority filter; policy accept;',
    `    ${fromGuest} ether saddr != ${mac} drop`,
    `    ${fromGuest} ether type arp accept`,
    `    ${fromGuest} ether type != ip drop`,
    `    ${fromGuest} udp sport 68 udp dport 67 accept`,
    ...(address === undefined ? [] : [`    ${fromGuest} ip saddr != ${address} drop`]),
    `    ${fromGuest} meta l4proto { tcp, udp } th dport 53 accept`,
    ...opens.map((what) => `    ${fromGuest} ip daddr @denied ${what} drop`),
    ...(policy.rules ?? [ANYWHERE]).flatMap(egressMatches).map((match) => `    ${fromGuest} ${match} accept`),
    ...opens.map((what) => `    ${fromGuest} ${what} drop`),
    '  }',
    '}',
  ]);
}

const ANYWHERE: EgressRule = { protocol: 'all', destinations: ['0.0.0.0/0'] };

/** One match per rule that has an IPv4 destination; guests have no IPv6. Throws bad_request for a malformed rule. */
export function egressMatches(rule: EgressRule): string[] {
  const destinations = rule.destinations
    .flatMap((entry) => entry.split(','))
    .map((entry) => entry.trim())
    .filter((entry) => !isIPv6(entry.split(/[/-]/)[0] ?? ''));
  if (destinations.length === 0) return [];
  const to = `ip daddr { ${ranges(destinations)} }`;
  if (rule.protocol === 'all') return [to];
  if (rule.protocol === 'icmp') return [`${to} meta l4proto icmp${icmpMatch(rule.icmp)}`];
  if (!rule.ports) return [`${to} meta l4proto ${rule.protocol}`];
  return [`${to} ${rule.protocol} dport { ${rule.ports.map(portRange).join(', ')} }`];
}

function icmpMatch(wanted: EgressRule['icmp']): string {
  const part = (name: 'type' | 'code', value = -1): string => {
    if (value === -1) return '';
    if (Number.isInteger(value) && value >= 0 && value <= 255) return ` icmp ${name} ${value}`;
    throw new UnikError('bad_request', `egress rule: ${value} is not an ICMP ${name}`);
  };
  return `${part('type', wanted?.type)}${part('code', wanted?.code)}`;
}

function portRange({ start, end }: { start: number; end: number }): string {
  const valid = (port: number): boolean => Number.isInteger(port) && port >= 1 && port <= 65535;
  if (!valid(start) || !valid(end) || start > end) {
    throw new UnikError('bad_request', `egress rule: ${start}-${end} is not a range of ports`);
  }
  return start === end ? String(start) : `${start}-${end}`;
}

function userUplink(guest: string, forward: readonly PortMapping[]): string[] {
  const targets = new Set(
    forward.map((p) => `${p.protocol} dport ${p.guest_port} dnat ip to ${guest}:${p.guest_port}`),
  );
  return [
    '  chain prerouting {',
    '    type nat hook prerouting priority dstnat;',
    ...[...targets].map((target) => `    iifname "${UPLINK}" ${target}`),
    '  }',
    '  chain postrouting {',
    '    type nat hook postrouting priority srcnat;',
    `    oifname "${UPLINK}" masquerade`,
    '  }',
  ];
}

/** Merged here as well: a set written with overlapping parts in one go is refused by older nft. */
function ranges(cidrs: readonly string[]): string {
  const sorted = cidrs.map(parseRange).sort((a, b) => a.first - b.first);
  const merged: { first: number; last: number }[] = [];
  for (const range of sorted) {
    const before = merged.at(-1);
    if (before && range.first <= before.last + 1) before.last = Math.max(before.last, range.last);
    else merged.push({ ...range });
  }
  return merged.map(rangeText).join(', ');
}

/**
 * The host's own table, one per home. Elements come and go with machines (`hostElements`); the chains never change.
 * Machines of this home arrive by the interfaces in `links`.
 */
export function hostTable(table: string, guestNet: string): string {
  return lines([
    `table ip ${table} {`,
    '  set links { type ifname; }',
    '  map ports { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }',
    '  map ports_any { type inet_proto . inet_service : ipv4_addr . inet_service; }',
    '  map resolver { type inet_proto : ipv4_addr . inet_service; }',
    '  chain prerouting {',
    '    type nat hook prerouting priority dstnat;',
    '    iifname @links fib daddr type local meta l4proto { tcp, udp } th dport 53 dnat to meta l4proto map @resolver',
    '    iifname @links accept',
    '    dnat to ip daddr . meta l4proto . th dport map @ports',
    '    fib daddr type local dnat to meta l4proto . th dport map @ports_any',
    '  }',
    '  chain output {',
    '    type nat hook output priority -100;',
    '    dnat to ip daddr . meta l4proto . th dport map @ports',
    '    fib daddr type local dnat to meta l4proto . th dport map @ports_any',
    '  }',
    '  chain postrouting {',
    '    type nat hook postrouting priority srcnat;',
    '    oifname @links ip saddr 127.0.0.0/8 masquerade',
    `    oifname != @links ip saddr ${guestNet} masquerade`,
    '  }',
    '  chain input {',
    '    type filter hook input priority filter;',
    '    iifname @links ct state established,related accept',
    '    iifname @links ct status dnat meta l4proto { tcp, udp } th dport @dns_ports accept'.replace(
      '@dns_ports',
      '53',
    ),
    '    iifname @links drop',
    '  }',
    '  chain forward {',
    '    type filter hook forward priority filter;',
    '    iifname @links ct state established,related accept',
    `    iifname @links ip daddr { ${ranges(NEVER)} } drop`,
    '    iifname @links oifname @links drop',
    '    ct status dnat oifname @links accept',
    '    oifname @links ct state new drop',
    '  }',
    '}',
  ]);
}

export interface HostElements {
  link: string;
  guest: string;
  ports: readonly PortMapping[];
}

/** Adds or removes one machine in the host's table. Destroying first adds, so that taking away never fails. */
export function hostElements(table: string, verb: 'add' | 'delete', { link, guest, ports }: HostElements): string {
  const element = (set: string, text: string): string[] => {
    const add = `add element ip ${table} ${set} { ${text} }`;
    return verb === 'add' ? [add] : [add, `delete element ip ${table} ${set} { ${text.split(' : ')[0] ?? text} }`];
  };
  return lines([
    ...element('links', `"${link}"`),
    ...ports.flatMap((p) => {
      const to = `${guest} . ${p.guest_port}`;
      return p.host_address === '0.0.0.0'
        ? element('ports_any', `${p.protocol} . ${p.host_port} : ${to}`)
        : element('ports', `${rangeText(parseRange(p.host_address))} . ${p.protocol} . ${p.host_port} : ${to}`);
    }),
  ]);
}

/** Points the guests' name queries at `server`, for all machines of the home. */
export function hostResolver(table: string, server: string): string {
  return lines([
    `flush map ip ${table} resolver`,
    ...['tcp', 'udp'].map((protocol) => `add element ip ${table} resolver { ${protocol} : ${server} . 53 }`),
  ]);
}

function lines(text: readonly string[]): string {
  return `${text.join('\n')}\n`;
}
