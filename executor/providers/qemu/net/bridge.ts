import { existsSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { UnikError } from '../../../../core/errors.js';
import { run } from '../../../../core/process.js';
import { placeIn, type AddressPool } from '../../../remote/pool.js';
import type { InstanceNet, PortMapping } from '../../../model.js';
import { readControl } from '../control.js';
import type { MachineFolder, MachineRecord } from '../record.js';
import type { Network, NetworkContext } from './network.js';
import { accepts } from './probe-tcp.js';
import { bridgeRuleset, TAP, UPLINK } from './rules.js';
import { linkName } from './tap.js';

/** A bridge of this host that machines may be on. */
export interface BridgeConfig {
  name: string;
  /** Whose the addresses are: those of a DHCP server there, or ours to give. */
  addresses: 'dhcp' | AddressPool;
}

const LEASE_MS = 120_000;
const LOOK_MS = 100;

/**
 * An address on a bridge of the operator's. The machine's tap is in its own namespace, as ever, joined by a bridge there
 * to a veth pair, whose other end is on the host's bridge: what the guest may send is filtered where it cannot reach.
 */
export function bridgeNetwork(context: NetworkContext, config: BridgeConfig | undefined): Network {
  return {
    mode: 'bridge',
    plan({ slot, ports, spec, hostAddresses }) {
      const { addresses } = needed(config, context);
      const mac = macOf(context.tag, slot);
      const instance = instanceOf(addresses, slot, spec.dns);
      const address = instance.address?.split('/')[0];
      return {
        namespace: true,
        device: { kind: 'tap', ifname: TAP, mac },
        instance,
        ...(address === undefined ? {} : { ports: atGuest(ports, address) }),
        inside: {
          ip: [
            ...['link set lo up', 'link add br0 type bridge', 'link set br0 up'],
            ...[`tuntap add dev ${TAP} mode tap user ${context.uidOf(slot)}`, `link set ${TAP} master br0 up`],
          ],
          uplink: [`link set ${UPLINK} master br0 up`],
          nft: bridgeRuleset({ mac, address, deny: hostAddresses, policy: spec.egress }),
        },
      };
    },

    async attach(record, _folder, pid) {
      const { name } = needed(config, context);
      const link = linkName(context.tag, record.slot);
      const lines = [
        `link add ${link} type veth peer name ${UPLINK} netns ${pid}`,
        `link set ${link} master ${name}`,
        `link set ${link} up`,
      ];
      await run('ip', ['-batch', '-'], { input: `${lines.join('\n')}\n`, code: 'network_unavailable' });
      return {};
    },

    async settle(record, folder, signal) {
      if (record.address !== undefined) return {};
      const limit = AbortSignal.any([signal, AbortSignal.timeout(LEASE_MS)]);
      for (;;) {
        const address = await leasedAddress(folder);
        if (address !== undefined) return { address, ports: atGuest(record.ports, address) };
        if (limit.aborted) {
          signal.throwIfAborted();
          throw new UnikError('network_unavailable', `the guest got no address from DHCP within ${LEASE_MS} ms`);
        }
        await setTimeout(LOOK_MS, undefined, { signal: limit }).catch(() => undefined);
      }
    },

    async detach({ slot }) {
      // It goes with the namespace of its other end, but the kernel takes its time.
      const link = linkName(context.tag, slot);
      if (existsSync(`/sys/class/net/${link}`)) await run('ip', ['link', 'del', link]).catch(() => undefined);
    },

    async reaches(record: MachineRecord, folder, port, timeoutMs, signal) {
      const address = record.address ?? (await leasedAddress(folder));
      return address !== undefined && accepts(address, port, timeoutMs, signal);
    },
  };
}

function needed(config: BridgeConfig | undefined, { root }: NetworkContext): BridgeConfig {
  if (!config)
    throw new UnikError('network_unavailable', 'network bridge: network.bridge of the configuration names none');
  if (root) return config;
  throw new UnikError('network_unavailable', 'network bridge: joining a bridge of this host needs root');
}

function instanceOf(addresses: BridgeConfig['addresses'], slot: number, dns: readonly string[]): InstanceNet {
  if (addresses === 'dhcp') return { mode: 'dhcp', dns: [...dns] };
  // One slot, one address: no two living machines share either.
  const { net } = placeIn(addresses, firstOf(addresses, slot));
  return dns.length > 0 ? { ...net, dns: [...dns] } : net;
}

/** The first `count` addresses of a pool. */
function firstOf(pool: AddressPool, count: number): string[] {
  const taken: string[] = [];
  for (let n = 0; n < count; n++) taken.push(placeIn(pool, taken).address);
  return taken;
}

/** On a network that others share, each machine has a hardware address of its own. */
export function macOf(tag: string, slot: number): string {
  const hex = `02${tag.slice(0, 6)}${slot.toString(16).padStart(4, '0')}`;
  return hex.match(/../g)?.join(':') ?? '';
}

/** The guest's ports are where it is. */
function atGuest(ports: readonly PortMapping[], address: string): PortMapping[] {
  return ports.map((port) => ({ ...port, host_address: address, host_port: port.guest_port }));
}

async function leasedAddress(folder: MachineFolder): Promise<string | undefined> {
  return (await readControl(folder)).find((event) => event.event === 'address')?.address;
}
