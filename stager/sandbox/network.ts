import { spawn } from 'node:child_process';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { isIPv4, isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { messageOf, UnikError } from '../../core/errors.js';
import { identify, type ProcessIdentity } from '../../core/process.js';
import type { SandboxNetwork } from './sandbox.js';

/** What slirp4netns gives a namespace. At `host` it offers the loopback of the host, unless told not to. */
const SLIRP = { device: 'up0', net: '10.0.2.0/24', host: '10.0.2.2', nameserver: '10.0.2.3' };

/** What no job reaches: "this network", loopback, link-local with its metadata services, multicast and beyond. */
const NEVER = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3'];

/** How a job's network namespace is made. */
export interface NetworkPlan {
  /** Rules of the namespace, which nobody inside may change; undefined: the namespace stays empty. */
  rules?: string;
  /** The proxy is on the loopback of the host, so that must be in reach. The rules leave one port of it. */
  hostLoopback: boolean;
  resolv: string;
  env: Record<string, string>;
}

/** Throws bad_request for a malformed range, sandbox_unavailable when the proxy's name is not found. */
export async function planNetwork(network: SandboxNetwork, hostAddresses = addressesOfHost()): Promise<NetworkPlan> {
  switch (network.kind) {
    case 'off':
      return { hostLoopback: false, resolv: '', env: {} };
    case 'filtered':
      return {
        rules: filteredRules([...NEVER, SLIRP.net, ...hostAddresses, ...network.deny.flatMap(checkedRange)]),
        hostLoopback: false,
        resolv: `nameserver ${SLIRP.nameserver}\n`,
        env: {},
      };
    case 'proxy': {
      const found = await addressOf(network.host);
      const hostLoopback = found.startsWith('127.');
      const address = hostLoopback ? SLIRP.host : found;
      const url = `http://${address}:${network.port}`;
      const names = ['http_proxy', 'https_proxy'].flatMap((name) => [name, name.toUpperCase()]);
      return {
        rules: rules([`ip daddr ${address} tcp dport ${network.port} accept`]),
        hostLoopback,
        // The proxy looks names up.
        resolv: '',
        env: Object.fromEntries(names.map((name) => [name, url])),
      };
    }
  }
}

export function filteredRules(deny: readonly string[]): string {
  return rules([
    `ip daddr ${SLIRP.nameserver} meta l4proto { tcp, udp } th dport 53 accept`,
    ...deny.map((range) => `ip daddr ${range} goto refuse`),
    'ip protocol { tcp, udp, icmp } accept',
  ]);
}

function rules(accepts: readonly string[]): string {
  const chain = (hook: string, loopback: string, lines: readonly string[]): string[] => [
    `  chain ${hook} {`,
    `    type filter hook ${hook} priority filter; policy drop;`,
    `    ${loopback} lo accept`,
    '    ct state established,related accept',
    ...lines.map((line) => `    ${line}`),
    '  }',
  ];
  // A reset is noticed at once; whoever waits for a connection takes an ICMP message for a passing trouble.
  const refuse = [
    '  chain refuse {',
    '    meta l4proto tcp reject with tcp reset',
    '    reject with icmpx admin-prohibited',
    '  }',
  ];
  const output = chain('output', 'oifname', [...accepts, 'goto refuse']);
  return `${['table inet unik {', ...refuse, ...chain('input', 'iifname', []), ...output, '}'].join('\n')}\n`;
}

/**
 * Joins the namespaces of `pid` to the outside. The stack ends with us: it watches a pipe of which we hold the other
 * end. Throws sandbox_unavailable.
 */
export async function startSlirp(pid: number, plan: NetworkPlan, path: string): Promise<ProcessIdentity> {
  const args = [
    '--configure',
    '--mtu=1500',
    ...(plan.hostLoopback ? [] : ['--disable-host-loopback']),
    ...(plan.resolv === '' ? ['--disable-dns'] : []),
    ...['--enable-sandbox', '--enable-seccomp', '--ready-fd=3', '--exit-fd=4', String(pid), SLIRP.device],
  ];
  const child = spawn('slirp4netns', args, {
    cwd: '/',
    env: { PATH: path, LC_ALL: 'C' },
    stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'],
  });
  const words: string[] = [];
  try {
    await once(child, 'spawn');
    // Our end of the pipe breaks when it is killed: that is how it is meant to end.
    child.stdio[4]?.on('error', () => undefined);
    if (child.stderr)
      createInterface({ input: child.stderr }).on('line', (line) => words.splice(0, words.length, line));
    const started = once(child.stdio[3] as Readable, 'data', { signal: AbortSignal.timeout(READY_MS) });
    const [ready] = (await Promise.race([started, once(child, 'exit')])) as [unknown];
    const who = child.pid === undefined ? undefined : await identify(child.pid);
    if (!Buffer.isBuffer(ready) || !who) throw new Error(words[0] ?? 'it ended at once');
    return who;
  } catch (err) {
    child.kill('SIGKILL');
    const reason = words[0] ?? messageOf(err);
    throw new UnikError('sandbox_unavailable', `slirp4netns, the sandbox's network, could not be started: ${reason}`, {
      cause: err,
    });
  }
}

const READY_MS = 10_000;

function addressesOfHost(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ family }) => family === 'IPv4')
    .map(({ address }) => address);
}

async function addressOf(host: string): Promise<string> {
  try {
    return (await lookup(host, { family: 4 })).address;
  } catch (err) {
    throw new UnikError('sandbox_unavailable', `the proxy for staging, ${host}, has no IPv4 address`, { cause: err });
  }
}

/** An IPv4 address or CIDR, fit to stand in a rule. Of IPv6 there is nothing in reach, so nothing to deny. */
function checkedRange(range: string): string[] {
  const [address = '', bits, more] = range.split('/');
  const most = isIPv6(address) ? 128 : isIPv4(address) ? 32 : -1;
  if (more === undefined && /^\d{1,3}$/.test(bits ?? '0') && Number(bits ?? 0) <= most)
    return most === 32 ? [range] : [];
  throw new UnikError('bad_request', `sandbox job: network.deny has ${JSON.stringify(range)}, expected a CIDR`);
}
