import type { Clock } from '../../core/clock.js';
import type { UnikError } from '../../core/errors.js';

/** A bigint in a decoded message, a number in what is kept as JSON. */
export type Int64 = bigint | number;

/** Diego's action tree (bbs `models/actions.proto`), as far as it is carried out here; the decoded message is one. */
export interface Action {
  download_action?: DownloadAction;
  upload_action?: UploadAction;
  run_action?: RunAction;
  timeout_action?: { action?: Action; timeout_ms: Int64; deprecated_timeout_ns: Int64; log_source: string };
  emit_progress_action?: EmitProgressAction;
  try_action?: { action?: Action; log_source: string };
  parallel_action?: Actions;
  serial_action?: Actions;
  codependent_action?: Actions;
}

export interface Actions {
  actions: Action[];
  log_source: string;
}

export interface DownloadAction {
  artifact: string;
  from: string;
  to: string;
  cache_key: string;
  log_source: string;
  user: string;
  checksum_algorithm: string;
  checksum_value: string;
}

export interface UploadAction {
  artifact: string;
  from: string;
  to: string;
  log_source: string;
  user: string;
}

export interface RunAction {
  path: string;
  args: string[];
  dir: string;
  env: { name: string; value: string }[];
  resource_limits?: { nofile?: Int64 };
  user: string;
  log_source: string;
  suppress_log_output: boolean;
}

export interface EmitProgressAction {
  action?: Action;
  start_message: string;
  success_message: string;
  failure_message_prefix: string;
  log_source: string;
}

export interface ActionLine {
  source: string;
  stream: 'out' | 'err';
  text: string;
}

/** How a program ended. */
export interface RunEnd {
  /** 128+n where a signal n ended it. */
  status: number;
  out_of_memory?: boolean;
  /** It did not end within this long after it was asked to, and was killed. */
  killed_after_ms?: number;
  /** What ended it, where that was not the program itself. */
  why?: UnikError;
}

/** The world in which actions are carried out. Each verb stops as soon as it can when its signal fires. */
export interface ActionRuntime {
  clock: Clock;
  /** Fetches and unpacks; gives the bytes that came. Throws download_failed when they did not come, else why not used. */
  download(action: DownloadAction, signal: AbortSignal): Promise<number>;
  /** Gives the bytes that went. */
  upload(action: UploadAction, signal: AbortSignal): Promise<number>;
  /** Its output is the runtime's to write, under `source`. When the signal fires: SIGTERM, grace, SIGKILL, then the end. */
  run(action: RunAction, source: string, signal: AbortSignal): Promise<RunEnd>;
  log(line: ActionLine): void;
}
