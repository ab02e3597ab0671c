import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
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
  // Whoever sees the folder under its name sees the record in it.
  const unnamed = await mkdtemp(join(home, UNNAMED));
  await writeRecord(unnamed, record);
  await mkdir(join(unnamed, JOB_FILES.stage), { mode: 0o700 });
  await mkdir(join(unnamed, JOB_FILES.etc), { mode: 0o700 });
  try {
    await rename(unnamed, folder);
  } catch (err) {
    await rm(unnamed, { recursive: true, force: true });
    if (!hasCode(err, 'ENOTEMPTY') && !hasCode(err, 'EEXIST')) throw err;
    throw new UnikError('conflict', `sandbox job ${id} runs already, or was left by a killed process: sweep first`);
  }
  return folder;
}

/** Beginning of a name that no job can have. */
const UNNAMED = '.new-';

/** Tells the control groups of this home from those of another on the same host. */
export function groupName(home: string, id: string): string {
  return `unik-staging-${createHash('sha256').update(home).digest('hex').slice(0, 8)}-${id}`;
}

export async function writeRecord(folder: string, record: JobRecord): Promise<void> {
  await writeJsonFile(join(folder, JOB_FILES.record), record);
}

/** Ends what is left of a job and forgets it. Throws internal when something will not go. */
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
    if (name.startsWith(UNNAMED)) {
      await removeUnfinished(folder);
      continue;
    }
    const record = (await readJsonFile(join(folder, JOB_FILES.record))) as JobRecord | undefined;
    if (record && !(await isAlive(record.owner))) await removeJob(folder, record);
  }
}

/** Killed before its folder had its name, a job had made nothing else. A young one may be about to get it. */
async function removeUnfinished(folder: string): Promise<void> {
  const made = (await stat(folder).catch(() => undefined))?.mtimeMs ?? Infinity;
  if (Date.now() - made > UNFINISHED_MS) await rm(folder, { recursive: true, force: true });
}

const UNFINISHED_MS = 60_000;
