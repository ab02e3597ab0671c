import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { claimSlot } from '../../../executor/providers/qemu/claim.js';
import { nameServer, servesUntilTold, startBeside } from '../beside.js';

/** An address that machines may reach, unlike any of this host's. */
const FRONT = { link: 'unikt1', address: '198.51.100.6', gateway: '198.51.100.5' } as const;

export interface RouterFront {
  /** For the machines: every name leads to the router. */
  readonly name_server: string;
  close(): Promise<void>;
}

/**
 * Puts a router of this host's loopback where applications look for it: on port 80 of a host beside this one, whose name
 * server gives that address for every name. `dir`: a short path. Needs root; throws when another test has the address.
 */
export async function startRouterFront(router_url: string, dir: string): Promise<RouterFront> {
  const letGo = await claimSlot(0, 'router-front');
  if (!letGo) throw new Error(`another test has ${FRONT.address}`);
  const { hostname, port } = new URL(router_url);
  const path = join(dir, 'router.sock');
  const open = new Set<Socket>();
  // Sockets of the file system are the same in every network namespace.
  const server = createServer((from) => {
    const to = connect(Number(port), hostname);
    for (const [one, other] of [
      [from, to],
      [to, from],
    ] as const) {
      open.add(one);
      one.on('error', () => other.destroy()).on('close', () => open.delete(one));
      one.pipe(other);
    }
  }).listen(path);
  await once(server, 'listening');
  const services = `
    const net = require('node:net');
    const web = new Promise((done) => net.createServer((from) => {
      const to = net.connect(${JSON.stringify(path)});
      from.on('error', () => to.destroy()).pipe(to);
      to.on('error', () => from.destroy()).pipe(from);
    }).listen(80, '${FRONT.address}', done));
    ${nameServer(FRONT.address, FRONT.address)}
    ${servesUntilTold('web, naming')}
  `;
  const host = await startBeside({ ...FRONT, services });
  return {
    name_server: FRONT.address,
    async close() {
      await host.stop();
      server.close();
      for (const socket of open) socket.destroy();
      await rm(path, { force: true });
      letGo();
    },
  };
}
