import { setTimeout as delay } from 'node:timers/promises';
import { toUnikError, UnikError } from '../../core/errors.js';
import { kill } from '../../core/process.js';
import { foldersInMemory } from './bwrap-args.js';
import { DiskMeter } from './disk.js';
import { ending } from './ending.js';
import type { Groups } from './groups.js';
import type { LaunchEnd, Launched } from './launch.js';
import type { JobRecord } from './records.js';
import type { EndedBy, SandboxEnd, SandboxJob } from './sandbox.js';
import { watch } from './watch.js';

const GONE_MS = 15_000;

/** Why a job is to end: the first reason counts. */
export class Stop {
  reason: Exclude<EndedBy, 'itself'> | undefined;
  error: UnikError | undefined;
  readonly asked: Promise<void>;
  #ask: () => void = () => undefined;

  constructor() {
    this.asked = new Promise((resolve) => (this.#ask = resolve));
  }

  because(reason: Exclude<EndedBy, 'itself'>): void {
    this.reason ??= reason;
    this.#ask();
  }

  /** A limit cannot be watched any more: then the job may not go on. */
  broke(err: unknown): void {
    this.error ??= toUnikError(err);
    this.#ask();
  }
}

interface Attended {
  launched: Launched;
  stop: Stop;
  /** Pid of the sandbox's first process. */
  first: number;
  job: SandboxJob;
  groups: Groups;
  record: JobRecord;
  signal: AbortSignal;
}

/** Until a job that runs has ended, by itself or because of a limit. */
export async function attend({ launched, stop, first, job, groups, record, signal }: Attended): Promise<SandboxEnd> {
  const { limits, mounts } = job;
  const writable = mounts.filter((mount) => mount.writable).map(({ host }) => host);
  const disk = new DiskMeter(writable, limits.disk_mb * 1024 * 1024);
  const inMemory = foldersInMemory(job);
  const over = new AbortController();
  const watching = watch({ first, limits, groups, inMemory, disk, meminfo: '/proc/meminfo' }, over.signal).then(
    (strike) => strike && stop.because(strike),
    (err: unknown) => stop.broke(err),
  );
  const cancel = (): void => stop.because('cancelled');
  signal.addEventListener('abort', cancel, { once: true });
  if (signal.aborted) cancel();
  const clock = setTimeout(() => stop.because('timeout'), limits.wall_ms);
  try {
    await Promise.race([launched.ended, stop.asked]);
    // Its first process takes all others of the sandbox with it.
    for (const who of record.processes) await kill(who, 'SIGKILL');
    const end = await within(GONE_MS, launched.ended);
    if (stop.error) throw stop.error;
    const by = stop.reason ?? (await groups.struck());
    if (by === undefined && neverRan(end)) {
      if (isNoProgram(end)) return { code: 127, ended_by: 'itself', message: end.words };
      throw new UnikError('sandbox_unavailable', `bubblewrap could not confine the job: ${end.words}`);
    }
    return ending(by ?? ((await disk.isOver(undefined)) ? 'disk' : 'itself'), limits, end);
  } finally {
    clearTimeout(clock);
    signal.removeEventListener('abort', cancel);
    over.abort();
    await watching;
  }
}

/** Hands on what a job prints up to its limit. */
export function bounded({ limits, output }: SandboxJob, stop: Stop): SandboxJob['output'] {
  let left = limits.output_bytes;
  return (stream, bytes) => {
    try {
      if (left > 0) output(stream, bytes.subarray(0, left));
    } catch (err) {
      stop.broke(err);
    }
    left -= bytes.length;
    if (left < 0) stop.because('output');
  };
}

/** A killed process goes, unless the kernel holds it. */
async function within<T>(ms: number, value: Promise<T>): Promise<T> {
  const late = new AbortController();
  const given = delay(ms, undefined, { signal: late.signal }).then(
    () => {
      throw new UnikError('internal', `the processes of a sandbox job were killed and are there ${ms} ms later`);
    },
    () => value,
  );
  try {
    return await Promise.race([value, given]);
  } finally {
    late.abort();
  }
}

function neverRan(end: LaunchEnd): boolean {
  return end.code === undefined && end.signal === undefined;
}

/** Confined as it should be, but what it was to run is missing or no program. */
function isNoProgram({ words }: LaunchEnd): boolean {
  return words.startsWith('bwrap: execvp ');
}
