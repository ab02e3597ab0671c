import { constants } from 'node:os';
import type { LaunchEnd } from './launch.js';
import type { EndedBy, SandboxEnd, SandboxLimits } from './sandbox.js';

/** What a caller is told. */
export function ending(by: EndedBy, limits: SandboxLimits, { code, signal }: LaunchEnd): SandboxEnd {
  if (by !== 'itself') return { ended_by: by, message: because(by, limits) };
  const of = code === undefined ? signal : signalOf(code);
  const status = code === undefined ? {} : { code };
  if (of === undefined) return { ...status, ended_by: by, message: `ended with exit status ${code ?? 'unknown'}` };
  const whose = code === undefined ? 'the sandbox was ended from outside by' : 'ended by signal';
  return { ...status, signal: of, ended_by: by, message: `${whose} ${of}` };
}

function because(by: Exclude<EndedBy, 'itself'>, limits: SandboxLimits): string {
  const texts = {
    cancelled: 'cancelled',
    timeout: `took longer than its limit of ${limits.wall_ms / 1000} s`,
    memory: `took more memory than its limit of ${limits.memory_mb} MB, or the host has none left`,
    pids: `had more processes and threads than its limit of ${limits.pids}`,
    disk: `wrote more than its limit of ${limits.disk_mb} MB, or the disk is full`,
    output: `printed more than its limit of ${limits.output_bytes} bytes`,
  } as const;
  return texts[by];
}

/** Shells and bubblewrap tell of a signal by 128 and its number. */
function signalOf(code: number): string | undefined {
  return Object.entries(constants.signals).find(([, number]) => code === 128 + number)?.[0];
}
