import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive, type ProcessIdentity } from '../../../core/process.js';
import type { MachineUsage } from '../provider.js';
import type { MachineFolder } from './record.js';

/** /proc counts processor time in ticks of 1/100 s, on every architecture we run on. */
const NS_PER_TICK = 10_000_000;

/** Undefined when the process is gone. */
export async function usageOf(who: ProcessIdentity, folder: MachineFolder): Promise<MachineUsage | undefined> {
  try {
    const [processStat, status, disk_bytes] = await Promise.all([
      readFile(`/proc/${who.pid}/stat`, 'utf8'),
      readFile(`/proc/${who.pid}/status`, 'utf8'),
      diskBytes(folder),
    ]);
    if (!(await isAlive(who))) return undefined;
    return { ...parseUsage(processStat, status), disk_bytes };
  } catch {
    // It ended while we looked.
    return undefined;
  }
}

/** `stat` and `status` as in /proc/PID. */
export function parseUsage(processStat: string, status: string): Pick<MachineUsage, 'cpu_ns' | 'host_memory_bytes'> {
  const fields = processStat.slice(processStat.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  const resident = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? '0';
  return { cpu_ns: ticks * NS_PER_TICK, host_memory_bytes: Number(resident) * 1024 };
}

/** What the machine's own files take on disk: holes do not count, nor what it shares with others. */
async function diskBytes(folder: MachineFolder): Promise<number> {
  const names = await readdir(folder.vm);
  const files = await Promise.all(names.map((name) => stat(join(folder.vm, name))));
  return files.filter((file) => file.isFile() && file.nlink === 1).reduce((sum, file) => sum + file.blocks * 512, 0);
}
