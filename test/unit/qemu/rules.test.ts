import { describe, expect, test } from '@jest/globals';
import { egressMatches, hostElements, hostTable, innerRuleset } from '../../../executor/providers/qemu/net/rules.js';
import { linkName } from '../../../executor/providers/qemu/net/tap.js';

const inner = { guest: '10.201.0.2', dns: ['10.202.0.1'], deny: ['192.0.2.2'], policy: { deny: [] } };
const forwardChain = (text: string): string[] =>
  (/chain forward \{([^}]*(?:\{[^}]*\}[^}]*)*?)\n {2}\}/.exec(text)?.[1] ?? '')
    .trim()
    .split('\n')
    .map((line) => line.trim());

describe("inside a machine's namespace", () => {
  test('everything is closed but what the policy opens, and what is denied comes before what is allowed', () => {
    expect(forwardChain(innerRuleset(inner))).toEqual([
      'type filter hook forward priority filter; policy drop;',
      'ct state established,related accept',
      'iifname "up0" oifname "tap0" ip daddr 10.201.0.2 accept',
      'iifname "tap0" ip saddr != 10.201.0.2 drop',
      'iifname "tap0" oifname "up0" ip daddr 10.202.0.1 meta l4proto { tcp, udp } th dport 53 accept',
      'iifname "tap0" oifname "up0" ip daddr @denied reject with icmpx admin-prohibited',
      'iifname "tap0" oifname "up0" ip daddr { 0.0.0.0-255.255.255.255 } accept',
      'iifname "tap0" oifname "up0" reject with icmpx admin-prohibited',
    ]);
  });

  test("the denied set holds the built-in ranges, the host and the operator's, merged", () => {
    const text = innerRuleset({ ...inner, policy: { deny: ['127.0.0.1/32', '10.0.0.0/8', 'fd00::/8'] } });
    expect(text).toContain(
      'elements = { 0.0.0.0-0.255.255.255, 10.0.0.0-10.255.255.255, 127.0.0.0-127.255.255.255, 169.254.0.0-169.254.255.255, 192.0.2.2 }',
    );
  });

  test('no rules at all closes the way out', () => {
    const chain = forwardChain(innerRuleset({ ...inner, dns: [], policy: { deny: [], rules: [] } }));
    expect(chain.filter((line) => line.startsWith('iifname "tap0" oifname "up0"') && line.endsWith('accept'))).toEqual(
      [],
    );
  });

  test('a user-mode uplink forwards the published ports, each once', () => {
    const port = { host_address: '127.0.0.1', host_port: 1, guest_port: 8080, protocol: 'tcp' as const };
    const text = innerRuleset({ ...inner, forward: [port, { ...port, host_port: 2 }] });
    expect(text.match(/dnat ip to 10\.201\.0\.2:8080/g)).toHaveLength(1);
    expect(innerRuleset(inner)).not.toContain('dnat');
  });
});

describe('an egress rule', () => {
  test.each([
    ['all', { protocol: 'all' as const, destinations: ['0.0.0.0/0'] }, ['ip daddr { 0.0.0.0-255.255.255.255 }']],
    [
      'tcp with ports',
      {
        protocol: 'tcp' as const,
        destinations: ['10.0.0.1,10.0.0.3', '10.0.1.0-10.0.1.9'],
        ports: [
          { start: 80, end: 80 },
          { start: 8000, end: 9000 },
        ],
      },
      ['ip daddr { 10.0.0.1, 10.0.0.3, 10.0.1.0-10.0.1.9 } tcp dport { 80, 8000-9000 }'],
    ],
    [
      'udp, any port',
      { protocol: 'udp' as const, destinations: ['10.0.0.1'] },
      ['ip daddr { 10.0.0.1 } meta l4proto udp'],
    ],
    [
      'icmp of one type',
      { protocol: 'icmp' as const, destinations: ['10.0.0.1'], icmp: { type: 8, code: -1 } },
      ['ip daddr { 10.0.0.1 } meta l4proto icmp icmp type 8'],
    ],
    ['icmp', { protocol: 'icmp' as const, destinations: ['10.0.0.1'] }, ['ip daddr { 10.0.0.1 } meta l4proto icmp']],
    ['only IPv6', { protocol: 'all' as const, destinations: ['fd00::/8'] }, []],
  ])('%s', (_what, rule, matches) => {
    expect(egressMatches(rule)).toEqual(matches);
  });

  test.each([
    { protocol: 'tcp' as const, destinations: ['10.0.0.1 } accept; drop'] },
    { protocol: 'tcp' as const, destinations: ['10.0.0.1'], ports: [{ start: 0, end: 1 }] },
    { protocol: 'tcp' as const, destinations: ['10.0.0.1'], ports: [{ start: 9, end: 8 }] },
    { protocol: 'tcp' as const, destinations: ['10.0.0.1'], ports: [{ start: 1.5, end: 8 }] },
  ])('%j is refused', (rule) => {
    expect(() => egressMatches(rule)).toThrow(expect.objectContaining({ code: 'bad_request' }));
  });
});

describe('on the host', () => {
  test("a machine's elements are taken away as they were added, whether or not they are there", () => {
    const machine = {
      link: 'uk0',
      guest: '10.201.0.2',
      ports: [
        { host_address: '127.0.0.1', host_port: 8080, guest_port: 80, protocol: 'tcp' as const },
        { host_address: '0.0.0.0', host_port: 53, guest_port: 5353, protocol: 'udp' as const },
      ],
    };
    const added = hostElements('unik_x', 'add', machine).trim().split('\n');
    expect(added).toEqual([
      'add element ip unik_x links { "uk0" }',
      'add element ip unik_x ports { 127.0.0.1 . tcp . 8080 : 10.201.0.2 . 80 }',
      'add element ip unik_x ports_any { udp . 53 : 10.201.0.2 . 5353 }',
    ]);
    expect(hostElements('unik_x', 'delete', machine).trim().split('\n')).toEqual([
      added[0],
      'delete element ip unik_x links { "uk0" }',
      added[1],
      'delete element ip unik_x ports { 127.0.0.1 . tcp . 8080 }',
      added[2],
      'delete element ip unik_x ports_any { udp . 53 }',
    ]);
  });

  test('the table drops what comes from a machine and is no answer', () => {
    expect(hostTable('unik_x', '10.201.0.0/16')).toMatch(
      /chain input \{[^}]*established,related accept[^]*iifname @links drop\n/,
    );
  });

  test("interface names fit the kernel's 15 characters for every slot", () => {
    expect(linkName('0123abcd', 16_383).length).toBeLessThanOrEqual(15);
    expect(linkName('0123abcd', 1)).not.toBe(linkName('0123abcd', 2));
  });
});
