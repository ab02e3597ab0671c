import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../core/clock.js';
import { messageOf, type UnikError } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import type { Fetcher, FetchOrder } from '../actions/fetch.js';
import { interpret } from '../actions/interpret.js';
import { downloaded, downloadFailed, downloading, explain } from '../actions/lines.js';
import type { Action, ActionLine, DownloadAction } from '../actions/model.js';
import { downloadStep } from '../actions/steps/download.js';
import { parallelStep } from '../actions/steps/parallel.js';
import { serialStep } from '../actions/steps/serial.js';
import type { Uploader } from '../actions/upload.js';
import { explainedReason, FAILURE_FILE, readNote } from '../failure-note.js';
import type { Sandbox, SandboxMount, SandboxNetwork } from '../sandbox/sandbox.js';
import { readResult } from './result.js';
import { createRuntime } from './runtime.js';
import { Scratch } from './scratch.js';
import type { HeldTree, Trees } from './trees.js';

/** What comes before the action. A dependency is shared by many tasks and read-only; others are the task's own. */
export interface StagingDownload extends FetchOrder {
  /** Named in log lines; empty: nothing is logged. */
  artifact: string;
  /** Absolute, as the task sees it. */
  to: string;
  log_source: string;
  dependency?: boolean;
}

export interface StagingTask {
  guid: string;
  action: Action;
  downloads: readonly StagingDownload[];
  /** Of every program, in order; later ones win. */
  env: readonly (readonly [name: string, value: string])[];
  log_source: string;
  limits: { memory_mb: number; disk_mb: number; pids: number };
  /** As the task sees it. */
  result_file?: string;
}

/** How it ended, in Diego's words. */
export interface StagingEnd {
  failed: boolean;
  /** Such as `STG: Exited with status 222`; empty when not failed. */
  reason: string;
  /** It failed before its action began. */
  retryable: boolean;
  /** Content of the result file, also of a failed task. Absent: none was asked for, or it cannot be read. */
  result?: string;
}

export interface StagingListener {
  say: (line: ActionLine) => void;
  /** What many share is there, and the task's own action begins. */
  began: () => void;
}

export interface Stager {
  /** Clears away what a killed process left: processes, mounts, folders. Call once, first. */
  recover(): Promise<void>;
  /** Rejects by the signal's reason only. When it settles, nothing of the task is left on this host. */
  stage(task: StagingTask, listener: StagingListener, signal: AbortSignal): Promise<StagingEnd>;
}

export interface StagerOptions {
  /** Ours alone: scratch folders are in `tasks` of it. */
  folder: string;
  sandbox: Sandbox;
  trees: Trees;
  fetcher: Fetcher;
  uploader: Uploader;
  network: SandboxNetwork;
  /** Of every program, before what the task says. */
  env: Readonly<Record<string, string>>;
  /** What one program may write to its output. */
  output_bytes: number;
  /** No program runs longer, whatever the task says. */
  wall_ms: number;
  clock: Clock;
  log: Log;
}

/** As a task sees it. */
const NOTE = '/tmp/unik-failure.json';

/** Carries out staging tasks, as Diego's executor does in a container, in sandboxes over a folder for each task. */
export function createStager(options: StagerOptions): Stager {
  const tasks = join(options.folder, 'tasks');

  async function act(task: StagingTask, scratch: Scratch, listener: StagingListener, signal: AbortSignal) {
    const held: HeldTree[] = [];
    try {
      const shared = await holdAll(task, { trees: options.trees, scratch, held, listener }, signal);
      if (!shared.ok) return failed('failed to download cached artifacts', { retryable: true });
      listener.began();
      const runtime = createRuntime(task, {
        ...{ ...options, scratch, mounts: shared.mounts, say: listener.say },
        env: { ...options.env, [FAILURE_FILE]: NOTE },
      });
      const own = task.downloads.filter(({ dependency }) => dependency !== true);
      const setup = parallelStep(own.map((one) => downloadStep(asAction(one), runtime, one.log_source)));
      const failure = await serialStep([setup, interpret(task.action, runtime, task.log_source)])(signal);
      signal.throwIfAborted();
      const result = await resultOf(task, scratch, options.log);
      const read = result === undefined ? {} : { result };
      if (failure?.text !== undefined) {
        return failed(explainedReason(failure.text, failure.why ?? (await noteOf(scratch))), read);
      }
      if (failure) return failed('cancelled', read);
      if (task.result_file !== undefined && result === undefined) return failed('failed to fetch result');
      return { failed: false, reason: '', retryable: false, ...read };
    } finally {
      for (const tree of held) await tree.release();
    }
  }

  return {
    async recover() {
      // Processes first: they hold mounts, and mounts the folders.
      await options.sandbox.sweep();
      await mkdir(tasks, { recursive: true, mode: 0o700 });
      for (const name of await readdir(tasks)) await rm(join(tasks, name), { recursive: true, force: true });
      await options.trees.load();
    },
    async stage(task, listener, signal) {
      signal.throwIfAborted();
      const scratch = await Scratch.make(join(tasks, task.guid));
      try {
        return await act(task, scratch, listener, signal);
      } catch (err) {
        signal.throwIfAborted();
        options.log.warn({ err, guid: task.guid }, 'staging.failed');
        return failed(messageOf(err));
      } finally {
        await scratch.remove();
      }
    },
  };
}

interface Holding {
  trees: Trees;
  scratch: Scratch;
  /** Grows. */
  held: HeldTree[];
  listener: StagingListener;
}

/** Brings the dependencies of a task, all at once. Not ok: one could not be had, which was told. */
async function holdAll(
  { downloads }: StagingTask,
  { trees, scratch, held, listener }: Holding,
  signal: AbortSignal,
): Promise<{ ok: true; mounts: SandboxMount[] } | { ok: false }> {
  const bring = async (one: StagingDownload): Promise<SandboxMount | undefined> => {
    const { artifact, to, log_source: source } = one;
    const say = (stream: 'out' | 'err', text: string): void => {
      if (artifact !== '') listener.say({ source, stream, text });
    };
    try {
      say('out', downloading(artifact));
      const tree = await trees.hold(one, signal);
      held.push(tree);
      // Its place is in a folder of the task, which is there before the task is.
      await (await scratch.openFolder(to)).close();
      say('out', downloaded(artifact, tree.bytes));
      return { host: tree.path, inside: to, writable: false };
    } catch (err) {
      signal.throwIfAborted();
      // Told in any case: it has no name only where nobody should see it when all is well.
      listener.say({ source, stream: 'err', text: downloadFailed(artifact || `what belongs at ${to}`) });
      for (const text of explain(err)) listener.say({ source, stream: 'err', text });
      return undefined;
    }
  };
  const ends = await Promise.allSettled(downloads.filter(({ dependency }) => dependency).map(bring));
  signal.throwIfAborted();
  const mounts = ends.flatMap((end) => (end.status === 'fulfilled' && end.value ? [end.value] : []));
  return mounts.length === ends.length ? { ok: true, mounts } : { ok: false };
}

/** What the builder left about its end; mostly nothing. */
async function noteOf(scratch: Scratch): Promise<UnikError | undefined> {
  const text = await readResult(scratch, NOTE).catch(() => undefined);
  return text === undefined ? undefined : readNote(text);
}

async function resultOf({ result_file, guid }: StagingTask, scratch: Scratch, log: Log): Promise<string | undefined> {
  if (result_file === undefined) return undefined;
  try {
    return await readResult(scratch, result_file);
  } catch (err) {
    log.info({ guid, reason: messageOf(err) }, 'staging.no-result');
    return undefined;
  }
}

function asAction({ artifact, from, to, cache_key, checksum, log_source }: StagingDownload): DownloadAction {
  const { algorithm = '', value = '' } = checksum ?? {};
  const check = { checksum_algorithm: algorithm, checksum_value: value };
  return { artifact, from, to, cache_key, log_source, user: 'vcap', ...check };
}

function failed(reason: string, more: Partial<StagingEnd> = {}): StagingEnd {
  return { failed: true, reason, retryable: false, ...more };
}
