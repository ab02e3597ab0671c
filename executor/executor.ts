/**
 * The executor's face to everything above it. It runs machines on this cell and knows no Diego protocol.
 * `createExecutor` in `runner.ts` makes one.
 */
import type { Image } from './images/image.js';
import type { KernelEntry } from './kernels/kernel.js';
import type { MachineUsage } from './providers/provider.js';
import type { Arch, Instance, InstanceSpec, Key, LogLine, Owner, StreamName } from './model.js';

export interface ExecutorEvent {
  at: number;
  key: Key;
  /** Name shown to people. */
  name: string;
  log_id: string;
  type: 'reserved' | 'initializing' | 'created' | 'running' | 'ready' | 'unready' | 'completed' | 'removed';
  instance: Instance;
}

export interface LogQuery {
  /** Only the last n lines of what exists now. */
  tail?: number;
  /** Only lines at or after this time, epoch milliseconds. */
  since?: number;
  follow?: boolean;
  streams?: readonly StreamName[];
}

/** Totals and what is left, in application terms. */
export interface CapacityReport {
  memory_mb: { total: number; available: number };
  disk_mb: { total: number; available: number };
  machines: { total: number; available: number };
  /** What one more machine costs on top of its application's memory, MB; known once there was one. */
  overhead_mb: number;
}

export interface Executor {
  readonly owner: Owner;
  /** Reads the records, takes living machines back, completes those that ended meanwhile. Call first; a second call does nothing. */
  recover(): Promise<void>;
  /** Admits, records, and starts it in the background. Throws insufficient_*, image_*, kernel_*, port_taken, provider_*. */
  run(spec: InstanceSpec): Promise<Instance>;
  get(key: Key): Instance | undefined;
  list(): Instance[];
  /** SIGTERM, grace, power-off. Resolves when the instance is `completed`. Unknown key: not_found. */
  stop(key: Key, graceMs?: number): Promise<Instance>;
  kill(key: Key, signal: NodeJS.Signals): Promise<void>;
  /** Ends the machine if it runs and removes every trace but its logs. Unknown key: resolves. */
  remove(key: Key): Promise<void>;
  /** Resolves with the instance as soon as `test` holds for it. Rejects when it is removed, or by the signal. */
  until(key: Key, test: (instance: Instance) => boolean, signal: AbortSignal): Promise<Instance>;
  subscribe(listener: (event: ExecutorEvent) => void): () => void;
  logs(logId: string, query: LogQuery, signal: AbortSignal): AsyncIterable<LogLine>;
  removeLogs(logId: string): Promise<void>;
  capacity(): CapacityReport;
  /** What its machine uses now; undefined without one, or where the provider cannot tell. */
  usage(key: Key): Promise<MachineUsage | undefined>;
  /** Destroys machines of `owner` that no record of ours knows. Gives their keys. */
  gc(owner: Owner): Promise<Key[]>;
  /** Ends our loops and leaves every machine running. */
  close(): Promise<void>;
}

/** What the executor needs of the image store. */
export interface ImageSource {
  /** `ref`: a digest, a unique prefix of one, or a name. Throws image_missing, image_truncated, name_ambiguous. */
  get(ref: string): Promise<Image & { dir: string }>;
}

/** What the executor needs of the kernel catalogue. */
export interface KernelSource {
  /** The entry with this id, else the newest of this abi. Throws kernel_missing naming abi and arch. */
  pick(want: { abi: string; arch: Arch; id?: string; pin?: string }): Promise<KernelEntry & { dir: string }>;
}
