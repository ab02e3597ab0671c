import { execa } from 'execa';
import { claimSlot } from '../../executor/providers/qemu/claim.js';
import { nameServer, servesUntilTold, startBeside, type Beside } from './beside.js';
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
  const listening = ${JSON.stringify(NEIGHBOUR.ports)}.map((port) => new Promise((done) => createServer((peer) => peer.on('error', () => {}).end('hi')).listen(port, done)));
  const files = require('node:http').createServer((request, reply) => {
    const file = createReadStream(join(process.argv[1], new URL(request.url, 'http://x').pathname));
    file.on('error', () => reply.writeHead(404).end()).pipe(reply);
  });
  listening.push(new Promise((done) => files.listen(${NEIGHBOUR.files}, done)));
  ${nameServer(NEIGHBOUR.address, '203.0.113.7')}
  ${servesUntilTold('naming, ...listening')}
`;

/** A second host, in a namespace of its own, beside this one. Needs root. */
export class Neighbour {
  private constructor(
    private readonly host: Beside,
    private readonly letGo: () => void,
  ) {}

  /** `folder`: of the files that it serves. */
  static async start(folder = '/nonexistent'): Promise<Neighbour> {
    // Its addresses are fixed: suites that run side by side have it one after the other.
    const letGo = await until('the neighbour to be free', () => claimSlot(0, 'neighbour'), 240_000);
    const { address, gateway, metadata } = NEIGHBOUR;
    const host = await startBeside({ link: 'unikt0', address, gateway, also: [metadata], services: SERVICES, folder });
    return new Neighbour(host, letGo);
  }

  /** What it gets for this URL; throws what curl says. */
  async fetch(url: string): Promise<string> {
    const { stdout } = await execa('nsenter', ['-t', String(this.host.pid), '-n', 'curl', '-sS', '-m', '5', url]);
    return stdout;
  }

  async stop(): Promise<void> {
    await this.host.stop();
    this.letGo();
  }
}
