/** Runs code that nobody trusts, such as a buildpack and what `npm install` starts. Never without its confinement. */
export interface Sandbox {
  /**
   * Resolves when the job has ended, by itself or by a limit, and nothing of it is left. Cancelled by `signal`, it
   * resolves as well. Throws `sandbox_unavailable` where the host cannot confine it, `bad_request` for a job that
   * cannot be meant.
   */
  run(job: SandboxJob, signal: AbortSignal): Promise<SandboxEnd>;
  /** What confines and limits jobs on this host, and what is missing. Never throws. */
  doctor(): Promise<Finding[]>;
  /** Ends what a killed process of ours left: processes, control groups, folders. Jobs of living ones stay. */
  sweep(): Promise<void>;
}

export interface SandboxJob {
  /** Letters, digits, dot, dash, underscore; one job at a time has it. */
  id: string;
  /** The program as the sandbox sees it, then its arguments. */
  argv: readonly string[];
  /** All of the environment: nothing is inherited. */
  env: Readonly<Record<string, string>>;
  /** As seen inside. */
  cwd: string;
  mounts: readonly SandboxMount[];
  limits: SandboxLimits;
  network: SandboxNetwork;
  /** Called with what the job writes, in order, at most `limits.output_bytes` in all. */
  output: (stream: 'out' | 'err', bytes: Uint8Array) => void;
}

export interface SandboxMount {
  /** An existing file or folder, by its real path: a link is refused, since an earlier job may have made it. */
  host: string;
  /** Where it is seen. A mount at /tmp replaces the small one in memory. */
  inside: string;
  /** Where the cell is root, all that is in it is given to the job's account. */
  writable: boolean;
}

export interface SandboxLimits {
  memory_mb: number;
  /** Processes and threads together. */
  pids: number;
  wall_ms: number;
  /** What the writable mounts may hold together when the job has ended; also the size of the largest file. */
  disk_mb: number;
  /** Standard output and error together. */
  output_bytes: number;
  /** Open files of one process. */
  nofile: number;
}

/**
 * `off`: loopback of its own and nothing else. `filtered`: names and the internet, not the host, not link-local, not
 * `deny` (CIDRs). `proxy`: one address and port, which the job also finds in `http_proxy` and `https_proxy`.
 */
export type SandboxNetwork =
  { kind: 'off' } | { kind: 'filtered'; deny: readonly string[] } | { kind: 'proxy'; host: string; port: number };

export type EndedBy = 'itself' | 'cancelled' | 'timeout' | 'memory' | 'pids' | 'disk' | 'output';

export interface SandboxEnd {
  /** Exit status; 128 and the number of the signal that ended the program. None when it was ended as a whole. */
  code?: number;
  signal?: string;
  ended_by: EndedBy;
  /** One line for people: what happened, and which limit. */
  message: string;
}

/** One line of `unik doctor`. */
export interface Finding {
  name: string;
  status: 'ok' | 'warning' | 'error';
  detail: string;
  /** The exact command or edit that mends it. */
  fix?: string;
}
