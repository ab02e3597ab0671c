import { execa } from 'execa';
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { claimSlot } from '../../executor/providers/qemu/claim.js';
import { until } from './unik.js';

/** Addresses of a host that machines may reach: documentation ranges, and where clouds keep their metadata. */
export const NEIGHBOUR = {
  address: '198.51.100.2',
  gateway: '198.51.100.1',
  metadata: '169.254.169.254',
  ports: [8000, 8001],
  /** HTTP: files of the folder it was started with. */
  files: 8080,
} as const;

/** Listens on TCP `ports`, serves the files of a folder, and answers each name query with 203.0.113.7. */
const SERVICES = `
  const { createReadStream } = require('node:fs');
  const { join } = require('node:path');
  const { createServer } = require('node:net');
  const { createSocket } = require('node:dgram');
  const listening = ${JSON.stringify(NEIGHBOUR.ports)}.map((port) => new Promise((done) => createServer((peer) => peer.on('error', () => {}).end('hi')).listen(port, done)));
  const dns = createSocket('udp4');
  dns.on('message', (query, peer) => {
    const head = Buffer.from(query.subarray(0, 12));
    head.set([0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0], 2);
    const end = query.indexOf(0, 12) + 5;
    const answer = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 203, 0, 113, 7]);
    dns.send(Buffer.concat([head, query.subarray(12, end), answer]), peer.port, peer.address);
  });
  const files = require('node:http').createServer((request, reply) => {
    const file = createReadStream(join(process.argv[1], new URL(request.url, 'http://x').pathname));
    file.on('error', () => reply.writeHead(404).end()).pipe(reply);
  });
  listening.push(new Promise((done) => files.listen(${NEIGHBOUR.files}, done)));
  listening.push(new Promise((done) => dns.bind(53, '${NEIGHBOUR.address}', done)));
  Promise.all(listening).then(() => console.log('listening'));
  process.stdin.on('end', () => process.exit()).resume();
`;

/** A second host, in a namespace of its own, beside this one. Needs root. */
export class Neighbour {
  private constructor(
    private readonly child: ChildProcessByStdio<Writable, Readable, null>,
    private readonly letGo: () => void,
  ) {}

  /** `folder`: of the files that it serves. */
  static async start(folder = '/nonexistent'): Promise<Neighbour> {
    // Its addresses are fixed: suites that run side by side have it one after the other.
    const letGo = await until('the neighbour to be free', () => claimSlot(0, 'neighbour'), 240_000);
    const child = spawn(
      'unshare',
      ['--net', 'sh', '-c', 'echo there; read go; exec "$0" -e "$1" "$2"', process.execPath, SERVICES, folder],
      {
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    );
    const lines = createInterface({ input: child.stdout });
    await once(lines, 'line');
    const pid = String(child.pid);
    await execa('ip', ['link', 'add', 'unikt0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', pid]);
    await execa('ip', ['addr', 'add', `${NEIGHBOUR.gateway}/30`, 'dev', 'unikt0']);
    await execa('ip', ['link', 'set', 'unikt0', 'up']);
    const inside = [
      'link set lo up',
      `addr add ${NEIGHBOUR.address}/30 dev eth0`,
      `addr add ${NEIGHBOUR.metadata}/32 dev lo`,
      'link set eth0 up',
      `route add default via ${NEIGHBOUR.gateway}`,
    ];
    await execa('nsenter', ['-t', pid, '-n', 'ip', '-batch', '-'], { input: inside.join('\n') });
    await execa('ip', ['route', 'add', NEIGHBOUR.metadata, 'via', NEIGHBOUR.address]);
    child.stdin.write('go\n');
    await once(lines, 'line');
    return new Neighbour(child, letGo);
  }

  /** What it gets for this URL; throws what curl says. */
  async fetch(url: string): Promise<string> {
    const { stdout } = await execa('nsenter', ['-t', String(this.child.pid), '-n', 'curl', '-sS', '-m', '5', url]);
    return stdout;
  }

  async stop(): Promise<void> {
    this.child.stdin.end();
    if (this.child.exitCode === null) await once(this.child, 'exit');
    // Its end of the cable goes with its namespace, a moment later; this one would otherwise linger.
    await execa('ip', ['link', 'del', 'unikt0'], { reject: false });
    this.letGo();
  }
}
