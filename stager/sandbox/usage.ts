import type { FolderInMemory } from './bwrap-args.js';
import { readdir, readFile, readlink, stat, statfs } from 'node:fs/promises';

/** What a sandbox takes, as the host sees it. */
export interface Usage {
  /** Processes and threads. */
  tasks: number;
  /** Memory that is nobody else's: anonymous and shared memory of processes, and folders in memory. */
  memory_bytes: number;
}

/**
 * The processes below `first`, which is the first of its pid namespace: whoever loses its parent becomes its child, so
 * none is missed for longer than a look takes.
 */
export async function processesBelow(first: number): Promise<number[]> {
  const found: number[] = [];
  let level = [first];
  while (level.length > 0) {
    found.push(...level);
    level = (await Promise.all(level.map(childrenOf))).flat().filter((pid) => !found.includes(pid));
  }
  return found;
}

async function childrenOf(pid: number): Promise<number[]> {
  // A process that is gone by now has none.
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const lists = await Promise.all(
    threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/children`, 'utf8').catch(() => '')),
  );
  return lists.flatMap((list) => list.split(' ').filter(Boolean).map(Number));
}

/** `folders`: where the sandbox has file systems in memory. */
export async function usageOf(first: number, folders: readonly FolderInMemory[]): Promise<Usage> {
  const pids = await processesBelow(first);
  const parts = await Promise.all(pids.map(async (pid) => readStatus(await read(`/proc/${pid}/status`))));
  const inMemory = await Promise.all(folders.map((folder) => usedBytes(first, folder)));
  return {
    // The first process is bubblewrap's.
    tasks: sum(parts.map(({ threads }) => threads)) - 1,
    memory_bytes: sum(parts.map(({ bytes }) => bytes)) + sum(inMemory),
  };
}

/** As /proc/PID/status has it. */
export function readStatus(text: string): { threads: number; bytes: number } {
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0);
  return { threads: field('Threads'), bytes: 1024 * (field('RssAnon') + field('RssShmem')) };
}

/** The same with pages that several processes share counted once: slower, so asked before a verdict. */
export async function sharedFairly(first: number, folders: readonly FolderInMemory[]): Promise<number> {
  const pids = await processesBelow(first);
  const parts = await Promise.all(pids.map(async (pid) => readRollup(await read(`/proc/${pid}/smaps_rollup`))));
  const inMemory = await Promise.all(folders.map((folder) => usedBytes(first, folder)));
  return sum(parts) + sum(inMemory);
}

/** As /proc/PID/smaps_rollup has it. */
export function readRollup(text: string): number {
  const lines = text.matchAll(/^Pss_(?:Anon|Shmem):\s+(\d+) kB/gm);
  return 1024 * sum([...lines].map(([, kilobytes]) => Number(kilobytes)));
}

/** Bytes in files that are open and have no name any more, on disk and in memory: no walk finds them. */
export async function namelessBytes(first: number): Promise<{ disk: number; memory: number }> {
  const seen = new Set<string>();
  const total = { disk: 0, memory: 0 };
  for (const pid of await processesBelow(first)) {
    for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
      const path = `/proc/${pid}/fd/${fd}`;
      const target = await readlink(path).catch(() => '');
      if (!target.endsWith(' (deleted)')) continue;
      const file = await stat(path).catch(() => undefined);
      if (!file?.isFile() || seen.has(`${file.dev}:${file.ino}`)) continue;
      seen.add(`${file.dev}:${file.ino}`);
      total[target.startsWith('/memfd:') ? 'memory' : 'disk'] += 512 * file.blocks;
    }
  }
  return total;
}

/** Until bubblewrap has changed its root, what has that name is another file system, of another size. */
async function usedBytes(first: number, { at, bytes }: FolderInMemory): Promise<number> {
  const found = await statfs(`/proc/${first}/root${at}`).catch(() => undefined);
  return found && found.blocks * found.bsize === bytes ? bytes - found.bfree * found.bsize : 0;
}

async function read(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
