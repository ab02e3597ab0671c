import { execa } from 'execa';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export interface BesideOptions {
  /** This host's end of the cable. */
  link: string;
  address: string;
  /** This host's address on the cable, of the same /30. */
  gateway: string;
  /** Further addresses of its own, each routed to it from here. */
  also?: readonly string[];
  /** What it serves: a script for Node that prints a line when it does, and ends with its standard input. */
  services: string;
  /** The script's argument. */
  folder?: string;
}

export interface Beside {
  readonly pid: number;
  stop(): Promise<void>;
}

/** Starts a second host beside this one, in a network namespace of its own that ends with it. Needs root. */
export async function startBeside({
  link,
  address,
  gateway,
  also = [],
  services,
  folder = '',
}: BesideOptions): Promise<Beside> {
  const child = spawn(
    'unshare',
    ['--net', 'sh', '-c', 'echo there; read go; exec "$0" -e "$1" "$2"', process.execPath, services, folder],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const lines = createInterface({ input: child.stdout });
  await once(lines, 'line');
  const pid = String(child.pid);
  await execa('ip', ['link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', pid]);
  await execa('ip', ['addr', 'add', `${gateway}/30`, 'dev', link]);
  await execa('ip', ['link', 'set', link, 'up']);
  const inside = [
    'link set lo up',
    `addr add ${address}/30 dev eth0`,
    ...also.map((one) => `addr add ${one}/32 dev lo`),
    'link set eth0 up',
    `route add default via ${gateway}`,
  ];
  await execa('nsenter', ['-t', pid, '-n', 'ip', '-batch', '-'], { input: inside.join('\n') });
  for (const one of also) await execa('ip', ['route', 'add', one, 'via', address]);
  child.stdin.write('go\n');
  await once(lines, 'line');
  return {
    pid: child.pid ?? 0,
    async stop() {
      child.stdin.end();
      if (child.exitCode === null) await once(child, 'exit');
      // Its end of the cable goes with its namespace, a moment later; this one would otherwise linger.
      await execa('ip', ['link', 'del', link], { reject: false });
    },
  };
}

/** Script: a name server on UDP 53 of `address` that answers each query for an address with `answer`. */
export function nameServer(address: string, answer: string): string {
  return `
    const dns = require('node:dgram').createSocket('udp4');
    dns.on('message', (query, peer) => {
      const head = Buffer.from(query.subarray(0, 12));
      const end = query.indexOf(0, 12) + 5;
      const ipv4 = query.readUInt16BE(end - 4) === 1;
      head.set([0x81, 0x80, 0, 1, 0, ipv4 ? 1 : 0, 0, 0, 0, 0], 2);
      const found = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ${answer.split('.').join(', ')}]);
      dns.send(Buffer.concat([head, query.subarray(12, end), ...(ipv4 ? [found] : [])]), peer.port, peer.address);
    });
    const naming = new Promise((done) => dns.bind(53, '${address}', done));
  `;
}

/** Script: prints a line when all of these promises have settled, and ends with its standard input. */
export const servesUntilTold = (promises: string): string => `
  Promise.all([${promises}]).then(() => console.log('listening'));
  process.stdin.on('end', () => process.exit()).resume();
`;
