import { writeFile } from 'node:fs/promises';
import { release } from 'node:os';
import { join } from 'node:path';
import { UnikError } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import { identify, run as runProgram, type ProcessIdentity } from '../../core/process.js';
import { attend, bounded, Stop } from './attend.js';
import { bwrapArgs } from './bwrap-args.js';
import { checkJob } from './check-job.js';
import { examine } from './examine.js';
import { groupsOf, planGroups, type GroupPlan, type Groups } from './groups.js';
import { launch } from './launch.js';
import { ending } from './ending.js';
import { planNetwork, startSlirp, type NetworkPlan } from './network.js';
import { groupName, JOB_FILES, makeJobFolder, removeJob, sweepJobs, writeRecord, type JobRecord } from './records.js';
import type { Finding, Sandbox, SandboxEnd, SandboxJob } from './sandbox.js';
import { encode, filter } from './seccomp.js';
import { ARCHITECTURES, type Arch } from './syscalls.js';
import { ownEtc, view } from './view.js';

export interface BubblewrapOptions {
  /** Folder of the jobs' records, ours alone. */
  folder: string;
  /** Where programs of the host are found, as in PATH. */
  path: string;
  /** Our own account: 0 may give each job one of its own. */
  uid: number;
  /** Accounts for jobs, that nobody else has. Used as root only. */
  accounts: { first: number; count: number };
  /** A root tree in place of the host's programs. */
  rootfs?: string;
  /** Further files and folders of the host that jobs may read, such as /etc/npmrc with the address of a mirror. */
  readable?: readonly string[];
  /** A control group to make ours in, a path below every hierarchy. Default: our own, where it was handed to us. */
  group?: string;
  log: Log;
}

/** bubblewrap's two processes, the network stack's, and one to notice by that there is one too many. */
const SPARE_TASKS = 6;

export class Bubblewrap implements Sandbox {
  readonly #options: BubblewrapOptions;
  readonly #accounts = new Set<number>();
  #plan: Promise<GroupPlan> | undefined;

  constructor(options: BubblewrapOptions) {
    this.#options = options;
  }

  async run(job: SandboxJob, signal: AbortSignal): Promise<SandboxEnd> {
    await checkJob(job);
    const arch = process.arch;
    if (!isFiltered(arch)) {
      throw new UnikError('sandbox_unavailable', `there is no system call filter for ${arch}, only for x64 and arm64`);
    }
    if (signal.aborted) return ending('cancelled', job.limits, { words: '' });
    const network = await planNetwork(job.network);
    const groups = groupsOf(groupName(this.#options.folder, job.id), await this.#groups(), job.limits, SPARE_TASKS);
    const owner = await identify(process.pid);
    if (!owner) throw new UnikError('internal', 'our own process is not in /proc');
    const record: JobRecord = { owner, groups: groups.folders, processes: [] };
    const uid = this.#takeAccount();
    try {
      const folder = await makeJobFolder(this.#options.folder, job.id, record);
      try {
        await groups.make();
        await this.#give(job, uid);
        await this.#writeFiles(folder, job, network, arch);
        return await this.#runIn(folder, { job, network, groups, record, uid, signal });
      } finally {
        await removeJob(folder, record);
      }
    } finally {
      this.#accounts.delete(uid);
    }
  }

  async doctor(): Promise<Finding[]> {
    return examine(this, await this.#groups(), this.#host.root);
  }

  async sweep(): Promise<void> {
    await sweepJobs(this.#options.folder);
  }

  async #runIn(folder: string, { job, network, groups, record, uid, signal }: RunContext): Promise<SandboxEnd> {
    const { root, path, log } = this.#host;
    const stop = new Stop();
    const hosts = [
      ...Object.keys(ownEtc('')).map((name) => join(folder, JOB_FILES.etc, name)),
      ...job.mounts.map(({ host }) => host),
    ];
    const launched = await launch({
      root,
      uid,
      path,
      hosts,
      stage: join(folder, JOB_FILES.stage),
      ...(network.rules === undefined ? {} : { rules: network.rules }),
      seccomp: join(folder, JOB_FILES.seccomp),
      args: join(folder, JOB_FILES.args),
      pipes: { out: join(folder, JOB_FILES.out), err: join(folder, JOB_FILES.err) },
      argv: job.argv,
      limits: job.limits,
      caps: caps(job.limits, await this.#groups()),
      output: bounded(job, stop),
    });
    // From here on a killed process of ours leaves something that `sweep` must know.
    const note = async (who: ProcessIdentity | undefined): Promise<void> => {
      if (!who) return;
      record.processes.push(who);
      await writeRecord(folder, record);
    };
    await note(launched.who);
    await groups.admit(launched.who.pid);
    if (network.rules !== undefined) await note(await startSlirp(launched.who.pid, network, path));
    const first = await launched.go();
    await note(await identify(first));
    const end = await attend({ launched, stop, first, job, groups, record, signal });
    log.debug({ job: job.id, uid, ...end }, 'sandbox.job-ended');
    return end;
  }

  /** A writable folder with all in it becomes the job's own; links in it are taken as links. */
  async #give(job: SandboxJob, uid: number): Promise<void> {
    const writable = job.mounts.filter((mount) => mount.writable).map(({ host }) => host);
    if (!this.#host.root || writable.length === 0) return;
    const args = ['-R', '-h', '-P', `${uid}:${uid}`, '--', ...writable];
    await runProgram('chown', args, {
      timeout_ms: CHOWN_MS,
      code: 'sandbox_unavailable',
      env: { PATH: this.#host.path },
    });
  }

  async #writeFiles(folder: string, job: SandboxJob, network: NetworkPlan, arch: Arch): Promise<void> {
    const etc = ownEtc(network.resolv);
    for (const [name, text] of Object.entries(etc)) {
      await writeFile(join(folder, JOB_FILES.etc, name), text, { mode: 0o644 });
    }
    const args = bwrapArgs({
      view: await view(this.#options.rootfs, this.#options.readable ?? []),
      files: Object.keys(etc).map((name) => `/etc/${name}`),
      job,
      env: network.env,
      network: network.rules !== undefined,
    });
    await writeFile(join(folder, JOB_FILES.args), args.map((arg) => `${arg}\0`).join(''), { mode: 0o600 });
    await writeFile(join(folder, JOB_FILES.seccomp), encode(filter(arch)), { mode: 0o600 });
  }

  /** Looked at once: hierarchies do not move under a running process. */
  #groups(): Promise<GroupPlan> {
    return (this.#plan ??= planGroups(this.#options.group, this.#options.uid));
  }

  get #host(): { root: boolean; path: string; log: Log } {
    const { uid, path, log } = this.#options;
    return { root: uid === 0, path, log };
  }

  #takeAccount(): number {
    const { first, count } = this.#options.accounts;
    for (let uid = first; uid < first + count; uid++) {
      if (this.#accounts.has(uid)) continue;
      this.#accounts.add(uid);
      return uid;
    }
    throw new UnikError('sandbox_unavailable', `all ${count} accounts for sandbox jobs are in use`);
  }
}

const CHOWN_MS = 120_000;

interface RunContext {
  job: SandboxJob;
  network: NetworkPlan;
  groups: Groups;
  record: JobRecord;
  uid: number;
  signal: AbortSignal;
}

/** What the kernel keeps even between two looks of the watcher. */
function caps({ pids, memory_mb }: SandboxJob['limits'], plan: GroupPlan): { nproc?: number; data_bytes?: number } {
  return {
    // Older kernels count all processes of an account, in whatever namespace.
    ...(countsPerNamespace(release()) ? { nproc: pids + SPARE_TASKS } : {}),
    // Of each process. Asked for is not used (the stacks of threads), so generous.
    ...(plan.memory ? {} : { data_bytes: (4 * memory_mb + 1024) * 1024 * 1024 }),
  };
}

/** Linux 5.14 and later. */
function countsPerNamespace(kernel: string): boolean {
  const [major = 0, minor = 0] = kernel.split('.').map(Number);
  return major > 5 || (major === 5 && minor >= 14);
}

function isFiltered(arch: string): arch is Arch {
  return Object.hasOwn(ARCHITECTURES, arch);
}
