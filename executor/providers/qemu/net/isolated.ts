import { createConnection, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { FILES } from '../args.js';
import { Qmp } from '../qmp.js';
import type { MachineFolder } from '../record.js';
import { publishedEndpoint, type Network } from './network.js';

/**
 * QEMU's own network stack, with nothing but the published ports: for users who may neither make namespaces nor taps.
 * The guest cannot get out, and QEMU's forwarder takes connections whether or not the guest does.
 */
export function isolatedNetwork(): Network {
  return {
    mode: 'isolated',
    plan: ({ ports }) => ({
      namespace: false,
      device: { kind: 'restricted', ports },
      instance: { mode: 'static', address: '10.0.2.15/24', gateway: '10.0.2.2', dns: [] },
    }),
    attach: () => Promise.resolve({}),
    detach: () => Promise.resolve(),
    async reaches(record, folder, port, timeoutMs, signal) {
      const at = publishedEndpoint(record.ports, port);
      return at !== undefined && guestTook(folder, at, AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]));
    },
  };
}

/**
 * Opens a connection and watches QEMU's table of flows until one is established that was not before: then the guest
 * has just taken a connection, ours or another's.
 */
async function guestTook(
  folder: MachineFolder,
  at: { host: string; port: number },
  signal: AbortSignal,
): Promise<boolean> {
  let qmp: Qmp | undefined;
  let socket: Socket | undefined;
  try {
    qmp = await Qmp.connect(folder.vm, FILES.commands, { signal });
    const before = establishedFlows(await flowTable(qmp), at.port);
    socket = createConnection({ ...at, signal });
    // Refused, reset or out of time: the loop sees that it is destroyed.
    socket.on('error', () => undefined);
    while (!socket.destroyed) {
      const now = establishedFlows(await flowTable(qmp), at.port);
      if (now.some((flow) => !before.includes(flow))) return true;
      await setTimeout(FLOW_POLL_MS, undefined, { signal });
    }
    return false;
  } catch {
    // QEMU is gone or busy, or time is up: the guest was not reached.
    return false;
  } finally {
    socket?.destroy();
    qmp?.close();
  }
}

const FLOW_POLL_MS = 25;

async function flowTable(qmp: Qmp): Promise<string> {
  return String(await qmp.execute('human-monitor-command', { 'command-line': 'info usernet' }));
}

/** File descriptors of the flows that `info usernet` lists as established by way of this host port. */
export function establishedFlows(table: string, hostPort: number): string[] {
  return table
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([state, , , port]) => state === 'TCP[ESTABLISHED]' && port === String(hostPort))
    .map(([, fd]) => fd ?? '');
}
