import { readFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import type { FolderInMemory } from './bwrap-args.js';
import { DiskMeter } from './disk.js';
import type { Groups } from './groups.js';
import type { EndedBy, SandboxLimits } from './sandbox.js';
import { namelessBytes, sharedFairly, usageOf, type Usage } from './usage.js';

/** A limit that was struck. */
export type Strike = Extract<EndedBy, 'memory' | 'pids' | 'disk'>;

export interface Watched {
  /** Pid of the sandbox's first process. */
  first: number;
  limits: SandboxLimits;
  groups: Groups;
  inMemory: readonly FolderInMemory[];
  disk: DiskMeter;
  /** The host's: what no process's size shows, such as filled sockets, still shows there. */
  meminfo: string;
}

const LOOK_MS = 100;
/** Every how many looks files without a name are counted. */
const SELDOM = 10;

/**
 * Looks until a limit is struck or `signal` fires. Where the kernel keeps a limit, this notices that it did; where it
 * does not, this is the limit, so a job may be over it for a look's time.
 */
export async function watch(watched: Watched, signal: AbortSignal): Promise<Strike | undefined> {
  let nameless = 0;
  for (let look = 0; !signal.aborted; look++) {
    const { first, limits, groups, inMemory, disk, meminfo } = watched;
    const struck = await groups.struck();
    if (struck) return struck;
    if (look % SELDOM === SELDOM - 1) nameless = (await namelessBytes(first)).memory;
    const usage = await usageOf(first, inMemory);
    const over = exceeded({ ...usage, memory_bytes: usage.memory_bytes + nameless }, limits);
    if (over === 'pids') return over;
    if (
      over === 'memory' &&
      exceeded({ tasks: 0, memory_bytes: nameless + (await sharedFairly(first, inMemory)) }, limits)
    ) {
      return over;
    }
    if (isShort(await readFile(meminfo, 'utf8'))) return 'memory';
    if (await disk.isOver(first)) return 'disk';
    await setTimeout(LOOK_MS, undefined, { signal }).catch(() => undefined);
  }
  return undefined;
}

/** True when a host is about to kill processes of its own choice; a build is the first that can be spared. */
export function isShort(meminfo: string): boolean {
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(meminfo)?.[1] ?? NaN);
  return field('MemAvailable') < Math.min(RESERVE_KB, 0.02 * field('MemTotal'));
}

const RESERVE_KB = 128 * 1024;

export function exceeded(usage: Usage, limits: SandboxLimits): 'memory' | 'pids' | undefined {
  if (usage.tasks > limits.pids) return 'pids';
  if (usage.memory_bytes > limits.memory_mb * 1024 * 1024) return 'memory';
  return undefined;
}
