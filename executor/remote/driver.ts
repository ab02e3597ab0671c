import type { DiskBoot } from '../guests/guest.js';
import type { Arch, InstanceNet, Key, Limits, MachineHandle, Owner, ProviderName } from '../model.js';
import type { Probe } from '../providers/provider.js';

/** All that is needed to make a machine elsewhere. `key` is the idempotency token: asked again, the same machine. */
export interface MachineOrder {
  key: Key;
  owner: Owner;
  name: string;
  limits: Limits;
  /** Guest memory, MB. */
  ram_mb: number;
  /** With firmware `network`: the image's root as it is. */
  disk: RawDisk;
  /** What the disk is made of, for machines that are given the parts. */
  boot: DiskBoot;
  /** The instance config, one JSON document. Holds secrets. */
  config: string;
  /** Where `place` put it. */
  place?: Place | undefined;
}

/** A sparse raw disk on this host; the same digest is the same content. */
export interface RawDisk {
  path: string;
  digest: string;
}

/** An address that we chose, for providers that leave it to us. */
export interface Place {
  address: string;
  net: InstanceNet;
}

/** `ended`: it will never run again, though the provider may still list it. */
export type RemoteState = 'pending' | 'running' | 'ended';

/** A machine as its provider tells of it. */
export interface RemoteMachine {
  key: Key;
  owner: Owner;
  /** The provider's own name for it. */
  id: string;
  state: RemoteState;
  /** Where this host reaches the guest. */
  address?: string | undefined;
  /** It has ended and holds nothing any more: listed for a while, and nobody need remove it. */
  traceless?: boolean;
}

export type Ref = Pick<RemoteMachine, 'key' | 'owner' | 'id'>;

/**
 * What a provider of machines elsewhere does; `RemoteProvider` makes the rest of it: records, logs, ports, waiting. All
 * verbs may be repeated. An answer that was lost is not a machine that was not made.
 */
export interface Driver {
  readonly name: ProviderName;
  /** Where the guest finds its instance config: `unik.config` on the kernel's command line. */
  readonly configFrom: 'imds' | 'seed' | 'initrd';
  readonly firmware: 'bios' | 'uefi' | 'network';
  /** What its machines run; absent: x86_64. */
  readonly arch?: Arch;
  probe(signal: AbortSignal): Promise<Probe>;
  /** An address that none of `taken` has. */
  place?(taken: readonly string[]): Place;
  /** Resolves once the machine is powered on, or sure to be. */
  create(order: MachineOrder, signal: AbortSignal): Promise<RemoteMachine>;
  /** All machines of this owner, ended ones as long as the provider knows them. */
  find(owner: Owner): Promise<RemoteMachine[]>;
  /** Cut the power. */
  powerOff(ref: Ref): Promise<void>;
  /** The machine and all that belongs to it alone. `ref.id` may be empty where we never learnt it. */
  remove(ref: Ref): Promise<void>;
  /** The serial line: its last part (`tail`), or what came after so many bytes (`after`). Undefined: not now. */
  serial:
    | { kind: 'tail'; read(ref: Ref): Promise<Buffer | undefined> }
    | { kind: 'after'; read(ref: Ref, bytes: number): Promise<Buffer | undefined> };
  /** Of what was made for no machine in particular (images): remove what no machine of this owner uses. */
  collect?(owner: Owner): Promise<string[]>;
  /** A machine that we run already after our restart: whatever must listen for it listens again. */
  resume?(handle: MachineHandle): Promise<void>;
  close?(): void;
}
