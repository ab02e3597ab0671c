import { createServer } from 'node:net';
import { hasCode, UnikError } from '../core/errors.js';
import { holdsMachine } from './capacity.js';
import type { Instance, PortMapping } from './model.js';

/** Instances that hold a host port which `ports` asks for. */
export function holdersOf(ports: readonly PortMapping[], instances: Iterable<Instance>): Instance[] {
  if (ports.every(({ host_port }) => host_port === 0)) return [];
  const held = (instance: Instance): PortMapping[] => instance.handle?.ports ?? instance.spec.ports;
  return [...instances].filter(
    (instance) => holdsMachine(instance) && held(instance).some((other) => ports.some((port) => clash(port, other))),
  );
}

/** Throws `port_taken` when some program of this host already listens on one of the ports. */
export async function probePorts(ports: readonly PortMapping[]): Promise<void> {
  for (const { host_address, host_port, protocol } of ports) {
    if (host_port === 0 || protocol !== 'tcp') continue;
    try {
      await new Promise<void>((resolve, reject) => {
        const server = createServer();
        server.once('error', reject);
        server.listen(host_port, host_address, () => server.close(() => resolve()));
      });
    } catch (err) {
      if (!hasCode(err, 'EADDRINUSE')) continue;
      throw new UnikError('port_taken', `port ${host_address}:${host_port} is taken by another program`, {
        cause: err,
      });
    }
  }
}

function clash(one: PortMapping, other: PortMapping): boolean {
  const everywhere = (address: string): boolean => address === '0.0.0.0' || address === '::';
  return (
    one.host_port !== 0 &&
    one.host_port === other.host_port &&
    one.protocol === other.protocol &&
    (one.host_address === other.host_address || everywhere(one.host_address) || everywhere(other.host_address))
  );
}
