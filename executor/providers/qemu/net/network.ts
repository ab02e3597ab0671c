import type { Log } from '../../../../core/log.js';
import type { InstanceNet, NetworkMode, NetworkSpec, PortMapping } from '../../../model.js';
import type { NetDevice } from '../args.js';
import type { MachineFolder, MachineRecord } from '../record.js';
import type { Subnets } from './addresses.js';

/** What the networks need of their surroundings. */
export interface NetworkContext {
  root: boolean;
  subnets: Subnets;
  /** The account, as the namespace counts, that QEMU of this slot runs as. */
  uidOf(slot: number): number;
  /** Names this home's table and interfaces, 8 hex digits. */
  tag: string;
  log: Log;
}

/** What a machine's network means for its namespace, its devices and its guest. Pure. */
export interface NetPlan {
  /** QEMU runs in a network namespace of its own. */
  namespace: boolean;
  device: NetDevice;
  /** For the instance config. */
  instance: InstanceNet;
  /** Where its ports are, where that is not what was chosen for it. */
  ports?: PortMapping[];
  /**
   * Run inside the namespace before QEMU: an nftables ruleset, lines for `ip -batch`, and such lines for when `attach`
   * is done.
   */
  inside?: { nft: string; ip: readonly string[]; uplink: readonly string[] };
}

export interface PlanInput {
  slot: number;
  ports: readonly PortMapping[];
  spec: NetworkSpec;
  /** Every IPv4 address of this host. */
  hostAddresses: readonly string[];
}

/** One way of wiring a machine. */
export interface Network {
  readonly mode: NetworkMode;
  plan(input: PlanInput): NetPlan;
  /**
   * The half outside of the namespace, which process `pid` is in already; QEMU does not run yet.
   * Gives what has to be remembered. Throws port_taken, network_unavailable.
   */
  attach(record: MachineRecord, folder: MachineFolder, pid: number): Promise<Partial<MachineRecord>>;
  /** Once it runs: waits for what only the guest can tell. Throws network_unavailable. */
  settle?(record: MachineRecord, folder: MachineFolder, signal: AbortSignal): Promise<Partial<MachineRecord>>;
  /** Everything that `attach` made and the end of QEMU does not take away. Idempotent. */
  detach(record: MachineRecord, folder: MachineFolder): Promise<void>;
  /** Did the guest itself take a TCP connection? Never throws. */
  reaches(
    record: MachineRecord,
    folder: MachineFolder,
    port: number,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<boolean>;
}

/** Where a published TCP port is reached from this host. */
export function publishedEndpoint(
  ports: readonly PortMapping[],
  guestPort: number,
): { host: string; port: number } | undefined {
  const mapping = ports.find((port) => port.guest_port === guestPort && port.protocol === 'tcp');
  if (!mapping) return undefined;
  return { host: mapping.host_address === '0.0.0.0' ? '127.0.0.1' : mapping.host_address, port: mapping.host_port };
}
