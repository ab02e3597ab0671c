import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { claimSlot } from '../../../executor/providers/qemu/claim.js';
import { nameServer, servesUntilTold, startBeside } from '../beside.js';
import { leadOn } from '../lead-on.js';

/** Addresses that machines may reach, unlike any of this host's; one for each test that runs at the same time. */
const FRONTS = Array.from({ length: 16 }, (_, index) => ({
  link: `unikt${index + 1}`,
  gateway: `198.51.100.${4 * index + 5}`,
  address: `198.51.100.${4 * index + 6}`,
}));

async function freeFront(): Promise<{ front: (typeof FRONTS)[number]; letGo: () => void }> {
  for (const [index, front] of FRONTS.entries()) {
    const letGo = await claimSlot(index, 'router-front');
    if (letGo) return { front, letGo };
  }
  throw new Error('all addresses for routers are taken by other tests');
}

export interface RouterFront {
  /** For the machines: every name leads to the router. */
  readonly name_server: string;
  close(): Promise<void>;
}

/**
 * Puts a router of this host's loopback where applications look for it: on port 80 of a host beside this one, whose name
 * server gives that address for every name. `dir`: a short path. Needs root.
 */
export async function startRouterFront(router_url: string, dir: string): Promise<RouterFront> {
  const { front, letGo } = await freeFront();
  const { address } = front;
  const { hostname, port } = new URL(router_url);
  const path = join(dir, 'router.sock');
  const open = new Set<Socket>();
  // Sockets of the file system are the same in every network namespace.
  const server = createServer((from) => {
    const to = connect(Number(port), hostname);
    leadOn(from, to, open);
  }).listen(path);
  await once(server, 'listening');
  const services = `
    const net = require('node:net');
    const web = new Promise((done) => net.createServer((from) => {
      const to = net.connect(${JSON.stringify(path)});
      from.on('error', () => to.destroy()).pipe(to);
      to.on('error', () => from.destroy()).pipe(from);
    }).listen(80, '${address}', done));
    ${nameServer(address, address)}
    ${servesUntilTold('web, naming')}
  `;
  const host = await startBeside({ ...front, services });
  return {
    name_server: address,
    async close() {
      await host.stop();
      server.close();
      for (const socket of open) socket.destroy();
      await rm(path, { force: true });
      letGo();
    },
  };
}
