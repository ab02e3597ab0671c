/**
 * The nouns of the cell, between Diego's protocol and the executor. Plain data: all of it survives JSON. Memory and
 * disk are in MB (2^20 bytes), times in milliseconds since the epoch.
 */
import type { CheckSpec, EgressRule, Joined, Phase } from '../../executor/model.js';
import type { Action } from '../../stager/actions/model.js';

/** What an auction asks room for (rep `resources.go`: Resource and PlacementConstraint). */
export interface Demand {
  memory_mb: number;
  disk_mb: number;
  max_pids: number;
  rootfs: string;
  placement_tags: string[];
  volume_drivers: string[];
}

export interface LrpIdentity {
  process_guid: string;
  index: number;
  domain: string;
}

/** An auction's win: room that is kept for one LRP instance or task. */
export type Reservation = {
  /** The instance guid of an LRP (28 characters of a uuid), the task guid of a task; also the executor's key. */
  guid: string;
  demand: Demand;
  /** `X-Vcap-Request-Id` of the auction, for the calls that follow from it. */
  trace: string;
} & ({ kind: 'lrp'; lrp: LrpIdentity } | { kind: 'task'; domain: string });

/**
 * One container in Diego's sense: a reservation, later with its machine. States as in Diego's executor:
 * reserved -> initializing (its image is fetched) -> created (booting, not yet healthy) -> running -> completed.
 */
export interface Container {
  reservation: Reservation;
  state: Phase;
  /** A stop or delete was asked: its end is a removal, not a crash. */
  stopped: boolean;
  /** What it runs; absent while only reserved. */
  order?: RunOrder;
  net?: NetInfo;
  /** Its readiness check passes, or it has none and is running. */
  routable: boolean;
  outcome?: Outcome;
  reserved_at: number;
  /** When it came to `running`, for a task: when its machine was started. */
  running_at?: number;
  completed_at?: number;
}

/** How it ended, in Diego's words. */
export interface Outcome {
  failed: boolean;
  /** Crash or failure reason, such as `APP/PROC/WEB: Exited with status 1`; empty when not failed. */
  reason: string;
  /** It failed before its action ran: a task may be placed anew. */
  retryable: boolean;
  /** Content of a task's result file. Absent: none was asked for, or it could not be read. */
  result?: string;
}

export interface NetInfo {
  /** Address of this cell that routers reach. */
  address: string;
  ports: { container_port: number; host_port: number }[];
  /** The machine's own. */
  instance_address: string;
}

/** A file to bring into the image before it boots, or the droplet itself. */
export interface Download {
  /** Named in log lines; empty: nothing is logged. */
  artifact: string;
  from: string;
  /** Where it is unpacked, absolute. */
  to: string;
  /** Non-empty: kept between uses and revalidated. */
  cache_key: string;
  checksum?: { algorithm: 'md5' | 'sha1' | 'sha256'; value: string };
  log_source: string;
  /** Fetched before the container exists: its failure is `failed to download cached artifacts`, and retryable. */
  dependency?: boolean;
}

/** What a container runs: everything `convert` learns from a DesiredLRP or a TaskDefinition. */
export interface RunOrder {
  /** For people: `process_guid/index` or the task's guid. */
  name: string;
  /** Its rootfs: stack name of `preloaded:STACK`. */
  stack: string;
  downloads: Download[];
  launch: Launch;
  /** Ports of the guest that are published on the host. */
  ports: number[];
  health: HealthOrder;
  egress: EgressRule[];
  limits: { memory_mb: number; disk_mb: number; cpu_weight: number; nofile?: number; max_pids?: number };
  logs: LogConfig;
  metrics: MetricsConfig;
  /** Content of read-only files by absolute path (volume_mounted_files). */
  files: Record<string, string>;
  organizational_unit: string[];
  internal_routes: string[];
  /** Of an LRP: host names by which routers know it. */
  http_routes?: HttpRoute[];
  /** All resolved, sent with StartActualLRP. */
  metric_tags: Record<string, string>;
  /** Of a task. */
  result_file?: string;
  /**
   * Steps around the program, the inmost first, that change what its end means: of a `codependent` the end with status
   * 0 is a failure too; what is in a `try` never fails.
   */
  wrapped?: ('codependent' | 'try')[];
  /**
   * Several programs, where the image was composed at start (design D3): these run, and `launch` says what they have in
   * common. The environment of each adds to that of the launch.
   */
  programs?: Joined<Launch>;
  /** A program in the machine that says whether the application is well: what checks of kind `guest` ask. */
  monitor?: Joined<Launch>;
  /** The machine stays when all programs have ended well: its checks decide (a daemon). */
  lingers?: boolean;
  /** Lines of the cell at its start: what was asked for and is not done. */
  notices?: string[];
  /**
   * Present: no machine, but a staging task that is carried out on this cell. All 64-bit numbers are plain ones. The
   * launch then says what every program of the task has in common: environment, user, log source.
   */
  staging?: { action: Action };
  /** Ends the action after this long with `exceeded 15m0s timeout`. Of a task's Timeout action. */
  timeout_ms?: number;
}

/** `port` is the instance's own. What is not given is absent. */
export interface HttpRoute {
  /** `HOST` or `HOST/PATH`. */
  hostnames: string[];
  port: number;
  route_service_url?: string;
  isolation_segment?: string;
  protocol?: string;
  /** As Cloud Controller gave them. */
  options?: Record<string, unknown>;
}

/** The one program of a unikernel. */
export interface Launch {
  /**
   * `start_command`: what Cloud Controller gives its launcher; one text, understood as at staging.
   * `program`: path and arguments of a plain run action.
   */
  command: { kind: 'start_command'; text: string } | { kind: 'program'; argv: string[] };
  /** Process type where it is known, `web` otherwise; names argv in the image. */
  process_type: string;
  cwd?: string;
  user: string;
  /** In order, later ones win. Addresses and ports are added when they are known (`instanceEnv`). */
  env: [name: string, value: string][];
  /** Source type of its lines, such as `APP/PROC/WEB`. */
  log_source: string;
  suppress_output: boolean;
}

export interface HealthOrder {
  /** Must all pass for `running`; empty: running as soon as the process is. */
  startup: CheckSpec[];
  /** 0: for ever. */
  start_timeout_ms: number;
  startup_interval_ms: number;
  /** One failed probe of any ends it. */
  liveness: { check: CheckSpec; interval_ms: number }[];
  readiness: { check: CheckSpec; interval_ms: number }[];
  /** Source of the checks' lines: `HEALTH`. */
  log_source: string;
}

export interface LogConfig {
  /** Empty: nothing is logged. */
  guid: string;
  index: number;
  /** Source of the cell's own lines: `CELL`, `STG`. */
  source: string;
  tags: Record<string, string>;
  /** -1: no limit; 0: nothing is logged. */
  bytes_per_second: number;
}

export interface MetricsConfig {
  guid: string;
  index: number;
  tags: Record<string, string>;
}
