import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { noLog } from '../../core/log.js';
import { Bubblewrap, type BubblewrapOptions } from '../../stager/sandbox/bubblewrap.js';
import type { SandboxEnd, SandboxJob, SandboxLimits } from '../../stager/sandbox/sandbox.js';

/** Enough for a shell, and little enough to be struck soon. */
export const TIGHT: SandboxLimits = {
  memory_mb: 64,
  pids: 64,
  wall_ms: 20_000,
  disk_mb: 16,
  output_bytes: 64 * 1024,
  nofile: 256,
};

export interface Ran extends SandboxEnd {
  out: string;
  err: string;
}

/** A sandbox in a temporary folder, and the folder /work of its jobs. */
export class Sandboxed {
  private constructor(
    readonly base: string,
    readonly sandbox: Bubblewrap,
    readonly options: BubblewrapOptions,
  ) {}

  static async make(change: Partial<BubblewrapOptions> = {}): Promise<Sandboxed> {
    // Closed to other accounts, as a home is.
    const base = await realpath(await mkdtemp(join(tmpdir(), 'unik-sandbox-')));
    await mkdir(join(base, 'work'), { mode: 0o700 });
    return Sandboxed.at(base, change);
  }

  static at(base: string, change: Partial<BubblewrapOptions> = {}): Sandboxed {
    const options: BubblewrapOptions = {
      folder: join(base, 'jobs'),
      path: '/usr/sbin:/usr/bin:/sbin:/bin',
      uid: process.getuid?.() ?? 0,
      accounts: { first: 0x7ff00000 + (process.pid % 4096) * 16, count: 16 },
      log: noLog,
      ...change,
    };
    return new Sandboxed(base, new Bubblewrap(options), options);
  }

  get work(): string {
    return join(this.base, 'work');
  }

  get jobs(): string {
    return this.options.folder;
  }

  async remove(): Promise<void> {
    await rm(this.base, { recursive: true, force: true });
  }

  job(script: string, change: Partial<SandboxJob> = {}): SandboxJob {
    return {
      id: `job-${(this.#count += 1)}`,
      argv: ['/bin/bash', '-c', script],
      env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
      cwd: '/work',
      mounts: [{ host: this.work, inside: '/work', writable: true }],
      limits: TIGHT,
      network: { kind: 'off' },
      output: () => undefined,
      ...change,
    };
  }

  /** Runs a shell script to its end. */
  async run(script: string, change: Partial<SandboxJob> = {}, signal = new AbortController().signal): Promise<Ran> {
    const said = { out: '', err: '' };
    const output: SandboxJob['output'] = (stream, bytes) => {
      said[stream] += Buffer.from(bytes).toString('utf8');
      change.output?.(stream, bytes);
    };
    const end = await this.sandbox.run({ ...this.job(script, change), output }, signal);
    return { ...end, ...said };
  }

  #count = 0;
}
