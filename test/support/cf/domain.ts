/** A domain as users of a foundation have it, on this machine: names that resolve, and TLS before API and applications. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createServer, type Server } from 'node:tls';
import { claimSlot } from '../../../executor/providers/qemu/claim.js';
import { nameServer, servesUntilTold } from '../beside.js';
import { makeAuthority, makeLeaf } from '../diego/certs.js';
import { leadOn } from '../lead-on.js';

const SLOTS = 16;

export interface Domain {
  /** Addresses of the loopback, for `unik up` to serve plain HTTP at on port 80. */
  api: string;
  router: string;
  /** Where a name server answers every name with the router's address. */
  name_server: string;
  close(): Promise<void>;
}

/** Needs root, for the ports. */
export async function openDomain(): Promise<Domain> {
  const { slot, letGo } = await freeSlot();
  const [router, api] = [`127.77.${slot}.1`, `127.77.${slot}.2`];
  const script = `${nameServer(router, router)}\n${servesUntilTold('naming')}`;
  const names = spawn(process.execPath, ['-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(names.stdout, 'data');
  const pair = await makeLeaf(await makeAuthority());
  const open = new Set<Socket>();
  const servers = await Promise.all([router, api].map((address) => startTls(address, pair, open)));
  return {
    ...{ api, router, name_server: router },
    async close() {
      names.stdin.end();
      if (names.exitCode === null) await once(names, 'exit');
      for (const server of servers) server.close();
      for (const socket of open) socket.destroy();
      letGo();
    },
  };
}

async function freeSlot(): Promise<{ slot: number; letGo: () => void }> {
  for (let slot = 0; slot < SLOTS; slot++) {
    const letGo = await claimSlot(slot, 'domain');
    if (letGo) return { slot, letGo };
  }
  throw new Error('all addresses for domains are taken by other tests');
}

/** Ends TLS at port 443 of an address and leads on to its port 80. */
async function startTls(address: string, pair: { cert: string; key: string }, open: Set<Socket>): Promise<Server> {
  const server = createServer(pair, (from) => {
    const to = connect(80, address);
    leadOn(from, to, open);
  }).listen(443, address);
  await once(server, 'listening');
  return server;
}
