import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { UnikError, hasCode } from '../../core/errors.js';
import { readJsonFile, writeJsonFile } from '../../core/json-file.js';
import { isAlive, kill, type ProcessIdentity } from '../../core/process.js';
import { processesIn, removeGroups } from './groups.js';

/** What a job has outside of itself: enough to end it when we are gone. */
export interface JobRecord {
  /** The process that runs it; while that lives, the job is its business. */
  owner: ProcessIdentity;
  /** Control groups, noted before they are made. */
  groups: string[];
  /** bubblewrap and the network stack. */
  processes: ProcessIdentity[];
}

/** Names in a job's folder. */
export const JOB_FILES = {
  record: 'job.json',
  stage: 'stage',
  etc: 'etc',
  seccomp: 'seccomp.bpf',
  args: 'args',
  out: 'out',
  err: 'err',
} as const;

/** Throws conflict while another job has this id. */
export async function makeJobFolder(home: string, id: string, record: JobRecord): Promise<string> {
  const folder = join(home, id);
  await mkdir(home, { recursive: true, mode: 0o700 });
  try {
    await mkdir(folder, { mode: 0o700 });
  } catch (err) {
    if (!hasCode(err, 'EEXIST')) throw err;
    throw new UnikError('conflict', `sandbox job ${id} runs already, or was left by a killed process: sweep first`);
  }
  await writeRecord(folder, record);
  await mkdir(join(folder, JOB_FILES.stage), { mode: 0o700 });
  await mkdir(join(folder, JOB_FILES.etc), { mode: 0o700 });
  return folder;
}

export async function writeRecord(folder: string, record: JobRecord): Promise<void> {
  await writeJsonFile(join(folder, JOB_FILES.record), record);
}

/** Ends what is left of a job and forgets it. Throws sandbox_unavailable when something will not go. */
export async function removeJob(folder: string, record: JobRecord): Promise<void> {
  const until = Date.now() + GONE_MS;
  for (;;) {
    for (const who of record.processes) await kill(who, 'SIGKILL');
    for (const pid of await processesIn(record.groups)) killQuietly(pid);
    const alive = (await Promise.all(record.processes.map(isAlive))).includes(true);
    if (!alive && (await removeGroups(record.groups))) break;
    if (Date.now() > until) {
      throw new UnikError('internal', `sandbox job ${folder}: processes or control groups of it would not go`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await rm(folder, { recursive: true, force: true });
}

const GONE_MS = 10_000;

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (err) {
    if (!hasCode(err, 'ESRCH')) throw err;
  }
}

/** Removes every job whose owner is gone. */
export async function sweepJobs(home: string): Promise<void> {
  const names = await readdir(home).catch((err: unknown) => {
    if (hasCode(err, 'ENOENT')) return [];
    throw err;
  });
  for (const name of names) {
    const folder = join(home, name);
    const record = (await readJsonFile(join(folder, JOB_FILES.record))) as JobRecord | undefined;
    // Killed before it wrote its record, it had made nothing else.
    if (!record) await rm(folder, { recursive: true, force: true });
    else if (!(await isAlive(record.owner))) await removeJob(folder, record);
  }
}
