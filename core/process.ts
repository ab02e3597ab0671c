import { execa } from 'execa';
import { accessSync, constants } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, UnikError, type ErrorCode } from './errors.js';

export interface RunOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  input?: string | Uint8Array;
  timeout_ms?: number;
  signal?: AbortSignal | undefined;
  /** Called with each line of standard output and error as it comes. */
  onLine?: (line: string, stream: 'stdout' | 'stderr') => void;
  /** The code of the error thrown when the child fails. Default `internal`. */
  code?: ErrorCode;
  uid?: number;
  gid?: number;
}

export interface RunResult {
  stdout: string;
  stderr: string;
}

/**
 * Runs a program to its end, without a shell. Default timeout 60 s, then SIGTERM and, 2 s later, SIGKILL.
 * Throws a UnikError that names the program and carries the last lines it wrote to standard error.
 */
export async function run(file: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const { timeout_ms = 60_000, signal, onLine, code = 'internal', env } = options;
  const child = execa(file, args, {
    reject: false,
    stripFinalNewline: false,
    timeout: timeout_ms,
    forceKillAfterDelay: 2_000,
    maxBuffer: 32 * 1024 * 1024,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(env === undefined ? {} : { env, extendEnv: false }),
    ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    ...(options.gid === undefined ? {} : { gid: options.gid }),
    ...(signal === undefined ? {} : { cancelSignal: signal }),
  });
  if (onLine) {
    for (const stream of ['stdout', 'stderr'] as const) {
      void eachLine(child.iterable({ from: stream }), (line) => onLine(line, stream));
    }
  }
  const result = await child;
  if (!result.failed) return { stdout: result.stdout, stderr: result.stderr };
  signal?.throwIfAborted();
  const cause = result.timedOut
    ? `gave no result within ${timeout_ms} ms`
    : result.exitCode !== undefined
      ? `exit code ${result.exitCode}`
      : result.signal !== undefined
        ? `killed by ${result.signal}`
        : messageOf(result.cause);
  const tail = (result.stderr || result.stdout || '').trim().split('\n').slice(-5).join('\n');
  throw new UnikError(code, `${file} failed: ${cause}${tail ? `\n${tail}` : ''}`, { cause: result });
}

async function eachLine(lines: AsyncIterable<string>, use: (line: string) => void): Promise<void> {
  try {
    for await (const line of lines) use(line);
  } catch {
    // The child failed: `run` reports it with its exit code.
  }
}

/** What tells a process from a later one with the same number. */
export interface ProcessIdentity {
  pid: number;
  /** Field 22 of /proc/PID/stat: clock ticks between boot and start. */
  start_ticks: string;
}

/** Identity of a living process; undefined when it is gone or a zombie. */
export async function identify(pid: number): Promise<ProcessIdentity | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The command in parentheses may hold spaces and parentheses itself; fields count from after the last one.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    return { pid, start_ticks: fields[19] ?? '' };
  } catch {
    return undefined;
  }
}

export async function isAlive(who: ProcessIdentity): Promise<boolean> {
  return (await identify(who.pid))?.start_ticks === who.start_ticks;
}

/** Sends a signal to exactly this process, never to a later one with its number. False: it was gone. */
export async function kill(who: ProcessIdentity, signal: NodeJS.Signals): Promise<boolean> {
  if (!(await isAlive(who))) return false;
  try {
    process.kill(who.pid, signal);
    return true;
  } catch {
    return false;
  }
}

/** Is there a program of this name in one of the folders of `path`? */
export function isOnPath(program: string, path: string): boolean {
  return path.split(':').some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
