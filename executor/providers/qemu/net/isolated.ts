import { createConnection } from 'node:net';
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

/** Opens a connection and watches QEMU's table of flows until it says what the guest made of it. */
async function guestTook(
  folder: MachineFolder,
  at: { host: string; port: number },
  signal: AbortSignal,
): Promise<boolean> {
  let qmp: Qmp | undefined;
  const socket = createConnection(at);
  try {
    await new Promise((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
    const source = socket.localPort ?? 0;
    qmp = await Qmp.connect(folder.vm, FILES.commands, { signal });
    while (!socket.destroyed && !signal.aborted) {
      const table = await qmp.execute('human-monitor-command', { 'command-line': 'info usernet' });
      if (hasEstablished(String(table), source)) return true;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return false;
  } catch {
    // Nobody there, QEMU gone, or out of time: all mean that the guest was not reached.
    return false;
  } finally {
    socket.destroy();
    qmp?.close();
  }
}

/** True when `info usernet` lists an established flow that came from this local port. */
export function hasEstablished(table: string, sourcePort: number): boolean {
  return table.split('\n').some((line) => {
    const fields = line.trim().split(/\s+/);
    return fields[0] === 'TCP[ESTABLISHED]' && fields.includes(String(sourcePort));
  });
}
