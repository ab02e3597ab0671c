import { UnikError } from '../../core/errors.js';
import type { EgressRule } from '../../executor/model.js';
import type { SecurityGroupRule } from '../../protos/generated.js';

/**
 * An LRP's egress rules. Destinations stay as they are: addresses, CIDRs, `a-b` ranges and comma lists. Rules of ICMPv6
 * are left out, guests have no IPv6. Logging of packets is not done. Throws definition_unsupported.
 */
export function egressRules(rules: readonly SecurityGroupRule[]): EgressRule[] {
  return rules.flatMap((rule): EgressRule[] => {
    const { protocol, destinations, icmp_info } = rule;
    switch (protocol) {
      case 'all':
        return [{ protocol, destinations }];
      case 'icmpv6':
        return [];
      case 'icmp':
        return [
          { protocol, destinations, ...(icmp_info ? { icmp: { type: icmp_info.type, code: icmp_info.code } } : {}) },
        ];
      case 'tcp':
      case 'udp':
        return [{ protocol, destinations, ...portsOf(rule) }];
      default:
        throw new UnikError('definition_unsupported', `egress rule: protocol ${JSON.stringify(protocol)} is not known`);
    }
  });
}

function portsOf({ ports, port_range }: SecurityGroupRule): Pick<EgressRule, 'ports'> {
  const single = ports.map((port) => ({ start: port, end: port }));
  const all = port_range ? [...single, { start: port_range.start, end: port_range.end }] : single;
  return all.length > 0 ? { ports: all } : {};
}
