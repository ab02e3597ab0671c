import type { Clock } from '../../core/clock.js';
import { UnikError } from '../../core/errors.js';
import type { Checksum } from '../actions/transfer.js';
import type { Fetcher } from '../actions/fetch.js';
import type { ActionLine, ActionRuntime, DownloadAction, RunAction, RunEnd } from '../actions/model.js';
import { unpack } from '../actions/unpack.js';
import type { Uploader } from '../actions/upload.js';
import type { Sandbox, SandboxEnd, SandboxJob, SandboxMount, SandboxNetwork } from '../sandbox/sandbox.js';
import { lineSplitter } from './lines.js';
import { nameOf, type Scratch } from './scratch.js';

export interface RuntimeTask {
  guid: string;
  env: readonly (readonly [name: string, value: string])[];
  limits: { memory_mb: number; disk_mb: number; pids: number };
}

export interface RuntimeDeps {
  scratch: Scratch;
  sandbox: Sandbox;
  fetcher: Fetcher;
  uploader: Uploader;
  /** Beside those of the scratch folder. */
  mounts: readonly SandboxMount[];
  network: SandboxNetwork;
  env: Readonly<Record<string, string>>;
  output_bytes: number;
  wall_ms: number;
  clock: Clock;
  say: (line: ActionLine) => void;
}

const HOME = '/home/vcap';
/** Of an application package or a build cache. */
const MAX_ENTRIES = 1_000_000;
/** Of one process, where the task does not say. */
const NOFILE = 16_384;
/** Ended as a whole. */
const KILLED = 137;

/** Actions in the scratch folder of a task: downloads into it, programs in a sandbox over it, uploads from it. */
export function createRuntime(task: RuntimeTask, deps: RuntimeDeps): ActionRuntime {
  const { scratch, sandbox, fetcher, uploader, clock, say } = deps;
  let runs = 0;

  return {
    clock,
    log: say,
    async download(action, signal) {
      const fetched = await fetcher.fetch(orderOf(action), signal);
      try {
        const into = await scratch.openFolder(action.to);
        try {
          const max_bytes = task.limits.disk_mb * 2 ** 20;
          await unpack(fetched.path, nameOf(into), { max_bytes, max_entries: MAX_ENTRIES }, signal);
        } finally {
          await into.close();
        }
        return fetched.bytes;
      } finally {
        await fetched.release();
      }
    },
    async upload({ from, to }, signal) {
      const file = await scratch.openFile(from);
      try {
        return await uploader.upload({ from: nameOf(file), to }, signal);
      } finally {
        await file.close();
      }
    },
    async run(action, source, signal) {
      const tell = (stream: 'out' | 'err') =>
        lineSplitter((text) => {
          if (!action.suppress_log_output) say({ source, stream, text });
        });
      const lines = { out: tell('out'), err: tell('err') };
      const id = `${task.guid}-${++runs}`;
      const end = await sandbox.run(
        { ...jobOf(action, task, deps), id, output: (stream, bytes) => lines[stream].push(bytes) },
        signal,
      );
      lines.out.end();
      lines.err.end();
      if (end.ended_by !== 'itself' && end.ended_by !== 'cancelled') say({ source, stream: 'err', text: end.message });
      return runEnd(end);
    },
  };
}

/** Throws download_failed for a checksum of a kind that nobody here can compute. */
function orderOf({ from, cache_key, checksum_algorithm, checksum_value, artifact }: DownloadAction) {
  if (checksum_algorithm === '' || checksum_value === '') return { from, cache_key };
  const algorithm = checksum_algorithm.toLowerCase();
  if (algorithm !== 'md5' && algorithm !== 'sha1' && algorithm !== 'sha256') {
    const what = artifact || 'a download';
    throw new UnikError('download_failed', `${what}: checksum ${checksum_algorithm} is none of md5, sha1, sha256`);
  }
  const checksum: Checksum = { algorithm, value: checksum_value };
  // What is known by its content, such as a build cache, need not come twice.
  const key = cache_key === '' && algorithm === 'sha256' ? `sha256:${checksum_value.toLowerCase()}` : cache_key;
  return { from, cache_key: key, checksum };
}

/** Whatever user the action names: in a sandbox there is only one. */
function jobOf(
  action: RunAction,
  task: RuntimeTask,
  { scratch, mounts, network, env, output_bytes, wall_ms }: RuntimeDeps,
): Omit<SandboxJob, 'id' | 'output'> {
  const nofile = Number(action.resource_limits?.nofile ?? 0);
  return {
    argv: [action.path, ...action.args],
    env: {
      ...{ ...env, HOME, USER: 'vcap' },
      ...Object.fromEntries(task.env),
      ...Object.fromEntries(action.env.map(({ name, value }) => [name, value])),
    },
    cwd: action.dir || HOME,
    mounts: [...scratch.mounts, ...mounts],
    limits: { ...task.limits, wall_ms, output_bytes, nofile: nofile > 0 ? nofile : NOFILE },
    network,
  };
}

/** A sandbox asks nobody before it ends a job: no grace is told of. */
function runEnd({ code, ended_by, message }: SandboxEnd): RunEnd {
  const limited = ended_by !== 'itself' && ended_by !== 'cancelled';
  return {
    status: code ?? KILLED,
    ...(ended_by === 'memory' ? { out_of_memory: true } : {}),
    ...(limited ? { why: new UnikError('staging_limit', `the build ${message}`) } : {}),
  };
}
