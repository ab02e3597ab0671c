import { describe, expect, test } from '@jest/globals';
import { planNetwork } from '../../../../stager/sandbox/network.js';

/** What the rules let out or refuse, in order. */
const outgoing = (rules = ''): string[] =>
  (/chain output \{([^]*?)\n {2}\}/.exec(rules)?.[1] ?? '')
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);

describe('a plan for the network of a job', () => {
  test('off has no rules, no name server and no way out', async () => {
    expect(await planNetwork({ kind: 'off' })).toEqual({ hostLoopback: false, resolv: '', env: {} });
  });

  test('filtered refuses before it accepts, and drops by default', async () => {
    const plan = await planNetwork({ kind: 'filtered', deny: ['10.0.0.0/8', '2001:db8::/32'] }, ['192.0.2.1']);
    const lines = outgoing(plan.rules);
    expect(lines[0]).toContain('policy drop');
    const accepts = lines.findIndex((line) => line === 'ip protocol { tcp, udp, icmp } accept');
    for (const range of ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '10.0.2.0/24', '192.0.2.1', '10.0.0.0/8']) {
      const at = lines.findIndex((line) => line.startsWith(`ip daddr ${range} goto refuse`));
      expect(at).toBeGreaterThan(0);
      expect(at).toBeLessThan(accepts);
    }
    // The name server is asked before its own network is refused.
    expect(lines.findIndex((line) => line.includes('10.0.2.3 meta'))).toBeLessThan(
      lines.findIndex((line) => line.includes('10.0.2.0/24')),
    );
    expect(plan).toMatchObject({ hostLoopback: false, resolv: 'nameserver 10.0.2.3\n', env: {} });
    expect(plan.rules).not.toContain('2001');
  });

  test('a proxy on the loopback of the host is one port of it', async () => {
    const plan = await planNetwork({ kind: 'proxy', host: '127.0.0.1', port: 3128 });
    expect(
      outgoing(plan.rules)
        .filter((line) => line.endsWith('accept'))
        .slice(2),
    ).toEqual(['ip daddr 10.0.2.2 tcp dport 3128 accept']);
    const url = 'http://10.0.2.2:3128';
    expect(plan).toMatchObject({
      hostLoopback: true,
      resolv: '',
      env: { http_proxy: url, https_proxy: url, HTTP_PROXY: url, HTTPS_PROXY: url },
    });
  });

  test('a proxy elsewhere needs no loopback', async () => {
    const plan = await planNetwork({ kind: 'proxy', host: '192.0.2.9', port: 80 });
    expect(plan.hostLoopback).toBe(false);
    expect(plan.rules).toContain('ip daddr 192.0.2.9 tcp dport 80 accept');
  });

  test.each(['10.0.0.0/33', '10.0.0', '::/129', '10.0.0.0/8 accept', '1.2.3.4/8/9', 'host', '', '10.0.0.0/'])(
    '%p is no range',
    async (range) => {
      await expect(planNetwork({ kind: 'filtered', deny: [range] })).rejects.toMatchObject({ code: 'bad_request' });
    },
  );
});
