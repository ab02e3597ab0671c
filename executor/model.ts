/**
 * The nouns of the executor. Plain data: everything here survives JSON. Memory and disk are in MB (2^20 bytes),
 * times in milliseconds since the epoch, durations in milliseconds with `_ms` in the name.
 */
import type { Millis } from '../core/clock.js';
import type { ErrorCode } from '../core/errors.js';

/** Diego's five phases, in order; `completed` is final. */
export const PHASES = ['reserved', 'initializing', 'created', 'running', 'completed'] as const;
export type Phase = (typeof PHASES)[number];

/** `deployment/cell_id`: whose machines these are. A machine of another owner is never touched. */
export type Owner = string;

/** Instance guid: names one machine for its whole life, and is the idempotency token at the provider. */
export type Key = string;

export const GUESTS = ['linux', 'unikraft', 'nanos', 'osv', 'solo5', 'rumprun', 'multiboot'] as const;
export type GuestName = (typeof GUESTS)[number];

export const PROVIDERS = ['fake', 'qemu', 'aws', 'vsphere', 'virtualbox', 'openstack', 'arm'] as const;
export type ProviderName = (typeof PROVIDERS)[number];

export type Arch = 'x86_64' | 'aarch64';

/** Programs of Solo5 that run a kernel as a process of the host, each those of one target. */
export const TENDERS = ['solo5-spt', 'solo5-hvt'] as const;
export type TenderName = (typeof TENDERS)[number];

export interface PortMapping {
  /** Address on this host that takes connections, `127.0.0.1` unless the user says otherwise. */
  host_address: string;
  /** 0: the provider chooses a free one; the handle then says which. */
  host_port: number;
  guest_port: number;
  protocol: 'tcp' | 'udp';
}

export interface Limits {
  /** What the application may use (design D17); the guest's own need is added by us. */
  memory_mb: number;
  /** What the application may write. */
  disk_mb: number;
  cpus: number;
}

/** Where an app may connect to. Deny wins over allow; without rules all but the denied ranges is allowed. */
export interface EgressPolicy {
  /** CIDRs denied on top of the built-in ones (host loopback, the host's addresses, link-local, other machines). */
  deny: string[];
  /** When given, only these are allowed (an LRP's `egress_rules`). */
  rules?: EgressRule[];
}

export interface EgressRule {
  protocol: 'tcp' | 'udp' | 'icmp' | 'all';
  destinations: string[];
  ports?: { start: number; end: number }[];
  /** Of `icmp` only: which messages; -1 for any. Absent: all. */
  icmp?: { type: number; code: number };
}

export const NETWORK_MODES = ['tap', 'user', 'isolated', 'bridge', 'none', 'provider'] as const;
/**
 * `tap`: a tap in the machine's own network namespace, wired to the host by veth (needs root).
 * `user`: the same namespace, wired by a user-mode stack. `isolated`: published ports only, no way out.
 * `bridge`: an address of its own on a bridge of this host, without published ports (needs root). `none`: no network device. `provider`: a network of the provider's, where machines run elsewhere.
 */
export type NetworkMode = (typeof NETWORK_MODES)[number];

export interface NetworkSpec {
  mode: NetworkMode;
  /** Name servers for the guest; empty: those of the host. */
  dns: string[];
  egress: EgressPolicy;
}

/** Programs that belong together, joined as Diego's actions join them (docs/guest-protocol.md). */
export type Joined<T> =
  | { run: T }
  /** All at once; fails when one has failed, and lets the others end. */
  | { parallel: Joined<T>[] }
  /** One after the other, up to the first that fails. */
  | { serial: Joined<T>[] }
  /** All at once; the end of one ends the others, and is a failure however it ended. */
  | { codependent: Joined<T>[] }
  /** The same, where only a failure ends the others. */
  | { joined: Joined<T>[] }
  /** May fail. */
  | { try: Joined<T> };

/** One of several programs of a machine. What is absent is that of the instance. */
export interface ProgramSpec {
  argv: string[];
  cwd?: string;
  /** Added to that of the instance; wins over it. */
  env: Record<string, string>;
  uid?: number;
  nofile?: number;
}

/** A program in the machine that says whether the application is well, for checks of kind `guest`. */
export interface MonitorSpec {
  program: Joined<ProgramSpec>;
  /** Between looks until the first success, and afterwards. */
  startup_ms: number;
  interval_ms: number;
}

/** What a guest that knows several programs is told besides `argv`. */
export interface Programs {
  /** These run instead of `argv`. */
  program?: Joined<ProgramSpec>;
  monitor?: MonitorSpec;
  /** While none has failed, the machine stays although all have ended. */
  lingers?: boolean;
}

/** What a guest is told at run time (design 4.2). Values are arbitrary UTF-8. */
export interface InstanceConfig extends Programs {
  schema: 1;
  argv: string[];
  cwd: string;
  env: Record<string, string>;
  hostname: string;
  net: InstanceNet;
  mounts: { source: string; path: string; readonly: boolean }[];
  files: Record<string, string>;
  /** Read when the application has ended, for `Exit.result`. */
  result_file?: string;
  /** Absent: the application's own, 2000. 0 is root without the capabilities that reach beyond the application. */
  uid?: number;
  /** How many files it may have open. */
  nofile?: number;
  /** How many processes and threads it may have. */
  max_pids?: number;
}

export interface InstanceNet {
  mode: 'static' | 'dhcp' | 'none';
  /** CIDR, such as `10.201.0.2/30`. */
  address?: string;
  gateway?: string;
  dns: string[];
}

export type CheckSpec =
  | { kind: 'process' }
  /** What the monitor in the machine says. */
  | { kind: 'guest' }
  | { kind: 'port'; port: number; timeout_ms: number }
  | { kind: 'http'; port: number; path: string; timeout_ms: number };

/** One failed look of a check, for programs; `message` is for people. */
export interface CheckFailure {
  check: CheckSpec;
  /** `status`: an HTTP answer other than 200. `failed`: anything else, told by the message alone. */
  why: 'refused' | 'timed_out' | 'status' | 'failed';
  status?: number;
  took_ms: number;
  message: string;
  /** Where all were looked at: what failed besides. */
  also?: CheckFailure[];
}

/** A check that is looked at again and again; with `also`, all must pass, looked at one after the other. */
export interface WatchSpec {
  check: CheckSpec;
  also?: CheckSpec[];
  interval_ms: number;
  /** So many failures in a row count. */
  failures: number;
}

export interface HealthSpec {
  /** Must pass once before the instance counts as running. */
  startup: CheckSpec;
  /** These too, at the same time. */
  startup_also?: CheckSpec[];
  /** How long startup may take; then the instance fails with `start_timeout`. 0: for ever. */
  start_timeout_ms: number;
  startup_interval_ms: number;
  /** After startup: its failure completes the instance. */
  liveness?: WatchSpec;
  /** After startup: only decides whether traffic is sent. */
  readiness?: WatchSpec;
}

/** What somebody asks the executor to run. */
export interface InstanceSpec extends Programs {
  key: Key;
  owner: Owner;
  /** Shown to people; not unique here. */
  name: string;
  provider: ProviderName;
  /** Digest of the image, `sha256:<hex>`. */
  image: string;
  /** Process type of the image whose argv runs; ignored where `argv` is given. */
  process_type: string;
  argv?: string[];
  /** The words of `argv` hold references as those of an image's `expand` process. */
  expand?: boolean;
  cwd?: string;
  env: Record<string, string>;
  /** Content of read-only files by absolute path. */
  files?: Record<string, string>;
  result_file?: string;
  uid?: number;
  nofile?: number;
  max_pids?: number;
  hostname: string;
  limits: Limits;
  ports: PortMapping[];
  network: NetworkSpec;
  health: HealthSpec;
  /** Time between SIGTERM and power-off. */
  grace_ms: number;
  /** Logs are kept under this id, so that a restarted app keeps one history. Default: the key. */
  log_id: string;
  labels: Record<string, string>;
  /** A kernel entry's id; absent: the newest of the image's abi. */
  kernel?: string;
}

/**
 * How a machine ended. `reason` is for programs, `message` for people.
 * `exited`: the application ended by itself; `killed`: the machine went away under it; `oom`: over its memory;
 * `kernel_panic`: the guest's kernel died; `boot_failed`: it never came to the application;
 * `unhealthy`: we ended it because a check failed; `stopped`: somebody asked for it.
 */
export interface Exit {
  reason: 'exited' | 'killed' | 'oom' | 'kernel_panic' | 'boot_failed' | 'unhealthy' | 'start_timeout' | 'stopped';
  /** Exit status of the application, 128+n when a signal n ended it; absent when it was never learnt. */
  code?: number;
  /** Name of the signal that ended the application, such as `SIGKILL`. */
  signal?: string;
  /** Why it could not be started, for `boot_failed`. */
  error?: ErrorCode;
  message: string;
  at: Millis;
  /** Of `start_timeout` and `unhealthy`: the look that decided it, and which one it was. */
  check?: { failure: CheckFailure; attempts: number };
  /** What became of the `result_file` that was asked for. */
  result?: TaskResult;
  /** Of several programs those that ended by themselves, in that order; `program` counts them as the spec has them. */
  programs?: { program: number; code: number }[];
}

/** Content as text, at most 51 200 bytes; or why there is none. */
export type TaskResult = { content: string } | { error: string };

/** What a provider gives for a machine and takes back after our restart. JSON; versioned by the provider. */
export interface MachineHandle {
  provider: ProviderName;
  key: Key;
  owner: Owner;
  version: number;
  /** Ports as they are really published; never 0. */
  ports: PortMapping[];
  /** Address of the guest as this host reaches it, where it has one. */
  address?: string;
  /** The provider's own. Never holds a secret. */
  data: Record<string, unknown>;
}

/** What a machine takes from its host, MB. */
export interface Charge {
  /** The application's memory, the guest's own need and the provider's overhead. */
  memory_mb: number;
  disk_mb: number;
}

/** One machine's life on this cell: what `records.ts` keeps. */
export interface Instance {
  schema: 1;
  spec: InstanceSpec;
  phase: Phase;
  handle?: MachineHandle;
  /** The kernel entry it was booted with. */
  kernel?: string;
  /** What it is; absent in records of before there were several. */
  guest?: GuestName;
  stop_requested: boolean;
  /** Why we are ending it, decided before the machine has ended. */
  ending?: Pick<Exit, 'reason' | 'message' | 'check'>;
  /** What it is charged on this host (design D17), as long as something of its machine may exist. */
  charge: Charge;
  /** Traffic may be sent: running, and the readiness check (if any) passes. */
  ready: boolean;
  exit?: Exit;
  /** Events that did not fit the phase; counted, never thrown. */
  ignored_events: number;
  reserved_at: Millis;
  started_at?: Millis;
  running_at?: Millis;
  completed_at?: Millis;
}

export type StreamName = 'kernel' | 'stdout' | 'stderr';

/** One line of console, without its line end. */
export interface LogLine {
  at: Millis;
  stream: StreamName;
  text: string;
}
