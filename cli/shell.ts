import type { Writable } from 'node:stream';
import type { DoctorReport } from '../backend/api/schema/system.js';
import { systemClock } from '../core/clock.js';
import { UnikError, type ErrorCode } from '../core/errors.js';
import { poll } from '../core/retry.js';
import { Client } from './client.js';
import { startDetached } from './start-detached.js';
import { chooseTarget } from './target.js';

/** What only the daemon's side can do without a daemon; `main.ts` brings it. */
export interface LocalSide {
  /** Serves until a signal or a shutdown. */
  runDaemon(home: string, onReady: (line: string) => void): Promise<void>;
  /** Serves a Diego cell until a signal or the end of an evacuation. */
  runCell(file: string, onReady: (line: string) => void): Promise<void>;
  prepareCell(file: string, onLine: (line: string) => void): Promise<void>;
  awaitCell(file: string, timeout_ms: number): Promise<void>;
  drainCell(file: string, onProgress: (line: string) => void): Promise<void>;
  /** Serves the classic stager API until a signal. */
  runStager(file: string, onReady: (line: string) => void): Promise<void>;
  /** Serves a Cloud Foundry until a signal. */
  runUp(options: UpOptions): Promise<void>;
  /** Ends it, also what a killed one left; false: there was none. */
  runDown(options: Pick<UpOptions, 'home' | 'self' | 'env'>): Promise<boolean>;
  /** Serves the files of a folder until a signal. */
  runFiles(file: string, onReady: (line: string) => void): Promise<void>;
  doctor(home: string): Promise<DoctorReport>;
}

/** What a Cloud Foundry on this machine says when it serves. */
export interface Up {
  api_url: string;
  router_url: string;
  apps_domain: string;
  admin: { username: string; password: string };
}

export interface UpOptions {
  home: string;
  config?: string;
  cells?: number;
  default_stack?: string;
  /** Where its log goes; absent: to standard error. */
  log_file?: string;
  self: string;
  env: Readonly<Record<string, string | undefined>>;
  onReady: (up: Up) => void;
}

/** The world of a command: nothing in `cli` reads `process` but `main.ts`. */
export interface Shell {
  home: string;
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  stdout: Writable & { isTTY?: boolean };
  stderr: Writable & { isTTY?: boolean };
  /** The script that was started: started again for `--detach`. */
  self: string;
  now: () => number;
  local: LocalSide;
  /** Gives what was caught since, and each later one; the result ends it. */
  onSignal(signal: 'SIGINT' | 'SIGTERM', handler: () => void): () => void;
  /** Tells the process that started us in the background, where there is one. */
  tellParent(word: { ready: string } | { code: ErrorCode; message: string }): void;
  /** Exit status when no error is thrown. */
  setExit(status: number): void;
}

/** A client of the chosen daemon. Our own one is started when it does not run and `start` is true. */
export async function connect(shell: Shell, host: string | undefined, start: boolean): Promise<Client> {
  const { target, own } = await chooseTarget(host, shell.env, shell.home);
  const client = new Client(target);
  if (own && start && !(await answers(client))) {
    try {
      await startDetached(shell);
      print(shell.stderr, `unik: started the daemon of ${shell.home}`);
    } catch (err) {
      if (!(err instanceof UnikError && err.code === 'daemon_running')) throw err;
      // Another command started one in the same moment: that one will serve us as well.
      const attempt = async (): Promise<true | undefined> => ((await answers(client)) ? true : undefined);
      await poll(attempt, { clock: systemClock, timeout_ms: 30_000, interval_ms: 100, what: 'the daemon to serve' });
    }
  }
  return client;
}

/** False when nobody answers. */
export async function answers(client: Client): Promise<boolean> {
  try {
    await client.call('info', {}, { signal: AbortSignal.timeout(10_000) });
    return true;
  } catch (err) {
    if (isUnreachable(err)) return false;
    throw err;
  }
}

export function isUnreachable(err: unknown): boolean {
  return err instanceof Error && 'code' in err && err.code === 'daemon_unreachable';
}

export function print(to: Writable, line: string): void {
  to.write(`${line}\n`);
}

export function printJson(shell: Shell, value: unknown): void {
  print(shell.stdout, JSON.stringify(value, null, 2));
}
