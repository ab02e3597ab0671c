import type {
  Limits,
  MachineHandle,
  Owner,
  Key,
  Exit,
  PortMapping,
  NetworkMode,
  NetworkSpec,
  ProviderName,
  StreamName,
} from '../model.js';
import type { BootPlan } from '../guests/guest.js';
import type { InstanceConfig } from '../model.js';

export interface Probe {
  healthy: boolean;
  /** One line for people. */
  summary: string;
  /** Each finding of `unik doctor`. */
  findings: Finding[];
  /** What the machines run on, such as `tcg` or `kvm`. */
  accelerator?: string;
}

export interface Finding {
  name: string;
  status: 'ok' | 'warning' | 'error';
  detail: string;
  /** The exact command or edit that mends it. */
  fix?: string;
}

export interface Capabilities {
  ports: boolean;
  /** Kernel lines and application lines, and the latter's stderr, come apart. */
  separateStreams: boolean;
  network: readonly NetworkSpec['mode'][];
}

export interface NetworkChoice {
  mode: NetworkMode;
  /** Why the machine gets less than the best. */
  finding?: Finding;
}

/** All a provider needs to power a machine on. */
export interface MachineSpec {
  key: Key;
  owner: Owner;
  name: string;
  limits: Limits;
  /** Guest memory: the application's plus the kernel entry's overhead. */
  ram_mb: number;
  boot: BootPlan;
  ports: PortMapping[];
  network: NetworkSpec;
  /** `net` is filled in by the provider, which knows the addresses. */
  config: Omit<InstanceConfig, 'net'>;
  /** `config` as it is once ports and addresses are known; the provider delivers this where it is given. */
  configAt?: (where: Whereabouts) => Omit<InstanceConfig, 'net'>;
}

/** Where a machine is reached: ports as they are published, and the guest's own address where it has one. */
export interface Whereabouts {
  ports: PortMapping[];
  address?: string | undefined;
}

/** How far a reader has come, in bytes per stream. */
export type ConsolePosition = Partial<Record<StreamName, number>>;

export interface ConsoleChunk {
  stream: StreamName;
  bytes: Uint8Array;
  /** Position in the stream just after `bytes`. */
  end: number;
}

/** What is known to have ended a machine. `asked` exits are told apart by the life cycle, not here. */
export type MachineExit = Pick<Exit, 'reason' | 'code' | 'signal' | 'message' | 'result' | 'programs'>;

/**
 * Where and how a machine runs. All verbs are idempotent: repeating one after a crash is safe. A provider never
 * touches a machine whose owner is not the one it is asked for.
 */
export interface Provider {
  readonly name: ProviderName;
  readonly capabilities: Capabilities;
  /** What one machine costs this host on top of its guest memory, MB. */
  overheadMb(): number;
  /** Can this host use the provider right now? Cheap after the first call; run at start and by `unik doctor`. */
  probe(signal: AbortSignal): Promise<Probe>;
  /**
   * Resolves once powered on and the instance config is delivered or sure to be. App readiness is the checks' business.
   * A start that fails (`port_taken` and others), or is called off, leaves nothing.
   */
  start(spec: MachineSpec, signal: AbortSignal): Promise<MachineHandle>;
  /** Every machine that carries this owner, known to us or not: the truth a clean-up starts from. */
  list(owner: Owner): Promise<MachineHandle[]>;
  /** Re-attach after our own restart. `undefined`: no trace of the machine exists; an ended one is still a handle. */
  recover(handle: MachineHandle): Promise<MachineHandle | undefined>;
  /** Resolves when the machine has ended; at once when it already had. */
  exits(handle: MachineHandle, signal: AbortSignal): Promise<MachineExit>;
  /** Ask the application to end (SIGTERM), wait `graceMs` milliseconds, then cut power. Resolves when it has ended. Asked again, the shorter grace counts. */
  stop(handle: MachineHandle, graceMs: number): Promise<void>;
  /** Send a signal to the application; `SIGKILL` cuts power where the guest cannot deliver it. */
  kill(handle: MachineHandle, signal: NodeJS.Signals): Promise<void>;
  /** Cut power if needed and remove every trace: process, socket, file, port, address. */
  destroy(handle: MachineHandle): Promise<void>;
  /** Console bytes from `from` on, past ones first; ends when the machine has ended and all is read. */
  console(handle: MachineHandle, from: ConsolePosition, signal: AbortSignal): AsyncIterable<ConsoleChunk>;
  /** Told after bytes up to `upTo` are safely stored elsewhere, so the provider may free them. */
  consoleStored(handle: MachineHandle, upTo: ConsolePosition): Promise<void>;
  /**
   * Did the *guest* take a TCP connection on this port (design D11)? A forwarder that accepts for a guest that
   * does not listen must give false. Never throws; false when the timeout or the signal comes first.
   */
  reaches(handle: MachineHandle, guestPort: number, timeoutMs: number, signal: AbortSignal): Promise<boolean>;
  /** Where an HTTP check reaches this guest port from here, if anywhere. */
  endpoint(handle: MachineHandle, guestPort: number): { host: string; port: number } | undefined;
  /** Resolves when the application has begun, or never will. Absent: it begins with the machine. */
  begun?(handle: MachineHandle): Promise<void>;
  /** What the monitor in the machine said last; undefined: nothing yet. Absent: its machines have none. */
  monitorPasses?(handle: MachineHandle): Promise<boolean | undefined>;
  /** The best network that machines get here. Absent: the best of `capabilities.network`. */
  chooseNetwork?(): Promise<NetworkChoice>;
  /** Of what is there for no machine in particular (images): removes what none of this owner needs. Gives its names. */
  collect?(owner: Owner): Promise<string[]>;
  /** Ends our watching; the machines go on. The object is of no use afterwards. */
  close?(): void;
  /** Resource use right now; undefined when it cannot be known. */
  usage?(handle: MachineHandle): Promise<MachineUsage | undefined>;
}

export interface MachineUsage {
  /** Processor time used since power-on, nanoseconds. */
  cpu_ns: number;
  /** Resident memory on this host, bytes. */
  host_memory_bytes: number;
  /** What the application uses inside the guest, bytes, where the guest tells. */
  app_memory_bytes?: number;
  disk_bytes: number;
}
