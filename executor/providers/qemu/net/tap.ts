import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { UnikError } from '../../../../core/errors.js';
import { run } from '../../../../core/process.js';
import { GUEST_MAC } from '../args.js';
import { allDone } from '../all-done.js';
import { addressesOf, type Addresses } from './addresses.js';
import { HostTable } from './host-table.js';
import type { Network, NetworkContext } from './network.js';
import { accepts } from './probe-tcp.js';
import { innerRuleset, TAP, UPLINK } from './rules.js';

/**
 * A tap in the machine's own namespace, wired to the host by a veth pair and kernel NAT. Namespace, tap and veth
 * are held by QEMU alone and end with it; what stays for `detach` are the elements in the host's table.
 */
export function tapNetwork(context: NetworkContext): Network {
  const table = new HostTable(context);
  return {
    mode: 'tap',
    plan({ slot, spec, hostAddresses }) {
      const { subnets } = context;
      const net = addressesOf(slot, subnets);
      const dns = spec.dns.length > 0 ? spec.dns : [net.outer];
      return {
        namespace: true,
        device: { kind: 'tap', ifname: TAP },
        instance: { mode: 'static', address: net.guestCidr, gateway: net.gateway, dns },
        inside: {
          ip: ['link set lo up', ...tapLines(net, slot, context)],
          uplink: [
            `addr add ${net.inner}/30 dev ${UPLINK}`,
            `link set ${UPLINK} up`,
            `route add default via ${net.outer}`,
          ],
          nft: innerRuleset({
            guest: net.guest,
            dns,
            deny: [...hostAddresses, subnets.guest, subnets.link],
            policy: spec.egress,
          }),
        },
      };
    },

    async attach(record, _folder, pid) {
      const net = addressesOf(record.slot, context.subnets);
      const link = linkName(context.tag, record.slot);
      const lines = [
        `link add ${link} type veth peer name ${UPLINK} netns ${pid}`,
        `addr add ${net.outer}/30 dev ${link}`,
        `link set ${link} up`,
        `route add ${net.guestNet} via ${net.inner} dev ${link}`,
      ];
      await allDone(
        run('ip', ['-batch', '-'], { input: `${lines.join('\n')}\n`, code: 'network_unavailable' }),
        table.add({ link, guest: net.guest, ports: record.ports }),
      );
      try {
        // Local clients of a published port come from 127.0.0.1; the kernel sends such packets only where told so.
        await writeFile(`/proc/sys/net/ipv4/conf/${link}/route_localnet`, '1');
        await writeFile('/proc/sys/net/ipv4/ip_forward', '1');
      } catch (err) {
        throw new UnikError('network_unavailable', 'the kernel does not let us forward packets', { cause: err });
      }
      return {};
    },

    async detach(record) {
      const { guest } = addressesOf(record.slot, context.subnets);
      const link = linkName(context.tag, record.slot);
      await table.remove({ link, guest, ports: record.ports });
      // It goes with the namespace of its other end, but the kernel takes its time.
      const there = existsSync(`/sys/class/net/${link}`);
      if (there) await run('ip', ['link', 'del', link]).catch(() => undefined);
    },

    reaches: (record, _folder, port, timeoutMs, signal) =>
      accepts(addressesOf(record.slot, context.subnets).guest, port, timeoutMs, signal),
  };
}

/** The guest's side of the namespace: QEMU's account may use this tap, and make no other. */
export function tapLines(
  { gateway, guest }: Addresses,
  slot: number,
  { uidOf }: Pick<NetworkContext, 'uidOf'>,
): string[] {
  return [
    `tuntap add dev ${TAP} mode tap user ${uidOf(slot)}`,
    `addr add ${gateway}/30 dev ${TAP}`,
    `link set ${TAP} up`,
    // Without it a first connection to a booting guest waits a second for the next ARP query.
    `neigh replace ${guest} lladdr ${GUEST_MAC} dev ${TAP} nud permanent`,
  ];
}

/** At most 15 characters: `uk`, the home's tag, the slot in base 36. */
export function linkName(tag: string, slot: number): string {
  return `uk${tag}${slot.toString(36)}`;
}
