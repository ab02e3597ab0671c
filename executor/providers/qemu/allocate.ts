import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { hasCode, UnikError } from '../../../core/errors.js';
import type { PortMapping } from '../../model.js';
import type { MachineRecord } from './record.js';

/** The lowest number from 0 that no machine has and that `take` gives something for. Throws insufficient_machines. */
export async function freeSlot<T>(
  records: readonly Pick<MachineRecord, 'slot'>[],
  limit: number,
  take: (slot: number) => Promise<T | undefined>,
): Promise<{ slot: number; taken: T }> {
  const used = new Set(records.map(({ slot }) => slot));
  for (let slot = 0; slot < limit; slot++) {
    const taken = used.has(slot) ? undefined : await take(slot);
    if (taken !== undefined) return { slot, taken };
  }
  throw new UnikError('insufficient_machines', `all ${limit} machine addresses of this host are in use`);
}

/** The machine that already publishes the same port; 0.0.0.0 stands for every address. */
export function holderOf(
  port: PortMapping,
  records: readonly Pick<MachineRecord, 'name' | 'key' | 'ports'>[],
): { name: string; key: string } | undefined {
  return records.find((record) => record.ports.some((other) => clash(port, other)));
}

export function clash(a: PortMapping, b: PortMapping): boolean {
  const everywhere = '0.0.0.0';
  const sameAddress =
    a.host_address === b.host_address || a.host_address === everywhere || b.host_address === everywhere;
  return a.protocol === b.protocol && a.host_port === b.host_port && sameAddress;
}

/**
 * The ports as they will be published: 0 becomes a free one. Throws port_taken, naming the machine that has it where
 * it is one of ours.
 */
export async function choosePorts(
  wanted: readonly PortMapping[],
  records: readonly Pick<MachineRecord, 'name' | 'key' | 'ports'>[],
): Promise<PortMapping[]> {
  const chosen: PortMapping[] = [];
  for (const port of wanted) {
    const others = [...records, { name: 'the same machine', key: '', ports: chosen }];
    chosen.push(port.host_port === 0 ? await freePort(port, others) : await checked(port, others));
  }
  return chosen;
}

type Holders = Parameters<typeof holderOf>[1];

async function checked(port: PortMapping, others: Holders): Promise<PortMapping> {
  const where = `${port.protocol} port ${port.host_address}:${port.host_port}`;
  const holder = holderOf(port, others);
  if (holder) throw new UnikError('port_taken', `${where} is published by ${holder.name}`);
  try {
    await bind(port);
    return port;
  } catch (err) {
    if (hasCode(err, 'EADDRINUSE'))
      throw new UnikError('port_taken', `${where} is in use on this host`, { cause: err });
    if (hasCode(err, 'EACCES')) throw new UnikError('port_taken', `${where} needs root`, { cause: err });
    throw new UnikError('bad_request', `${where} cannot be published: no such address on this host`, { cause: err });
  }
}

async function freePort(port: PortMapping, others: Holders): Promise<PortMapping> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const candidate = { ...port, host_port: await bind(port) };
    if (!holderOf(candidate, others)) return candidate;
  }
  throw new UnikError('port_taken', `no free ${port.protocol} port on ${port.host_address}`);
}

/** Takes the port for a moment; gives its number. */
function bind({ host_address, host_port, protocol }: PortMapping): Promise<number> {
  return new Promise((resolve, reject) => {
    if (protocol === 'tcp') {
      const server = createServer();
      server.once('error', reject);
      server.listen({ host: host_address, port: host_port, exclusive: true }, () => {
        const address = server.address();
        const port = typeof address === 'object' && address ? address.port : 0;
        server.close(() => resolve(port));
      });
    } else {
      const socket = createSocket('udp4');
      socket.once('error', reject);
      socket.bind({ address: host_address, port: host_port, exclusive: true }, () => {
        const { port } = socket.address();
        socket.close(() => resolve(port));
      });
    }
  });
}
