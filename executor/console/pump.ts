import type { Clock } from '../../core/clock.js';
import type { Log } from '../../core/log.js';
import type { LogLine, MachineHandle, StreamName } from '../model.js';
import type { ConsoleChunk, ConsolePosition, Provider } from '../providers/provider.js';
import type { createLimit } from './limit.js';
import { LineCutter, type CutLine } from './lines.js';
import type { LogFile } from './log-writer.js';

export interface PumpDeps {
  provider: Provider;
  handle: MachineHandle;
  file: LogFile;
  clock: Clock;
  log: Log;
  limit?: ReturnType<typeof createLimit>;
  /** Where one console carries both: the kernel's lines; others are the application's. */
  kernelLines?: RegExp;
}

const RETRY_MS = 1_000;

/**
 * Carries a machine's console into its log, from where the last process left off, until the machine has ended and all
 * is read. A provider that fails meanwhile is asked again. Rejects by the signal.
 */
export async function pump(deps: PumpDeps, signal: AbortSignal): Promise<void> {
  const { provider, handle, file, clock, log } = deps;
  for (;;) {
    try {
      const from = file.stored.get(handle.key) ?? {};
      await carry(deps, provider.console(handle, from, signal), from, signal);
      return;
    } catch (err) {
      signal.throwIfAborted();
      log.warn({ err, key: handle.key }, 'console.lost');
      await file.flush();
      await clock.sleep(RETRY_MS, signal);
    }
  }
}

async function carry(
  deps: PumpDeps,
  chunks: AsyncIterable<ConsoleChunk>,
  from: ConsolePosition,
  signal: AbortSignal,
): Promise<void> {
  const { provider, handle, file } = deps;
  const cutters = new Map<StreamName, LineCutter>();
  let told: ConsolePosition | undefined = from;
  for await (const { stream, bytes, end } of chunks) {
    signal.throwIfAborted();
    let cutter = cutters.get(stream);
    if (!cutter) cutters.set(stream, (cutter = new LineCutter(end - bytes.length)));
    await file.append(handle.key, judged(deps, stream, cutter.push(bytes)));
    const stored = file.stored.get(handle.key);
    if (stored && stored !== told) await provider.consoleStored(handle, (told = stored));
  }
  for (const [stream, cutter] of cutters) {
    const last = cutter.end();
    if (last) await file.append(handle.key, judged(deps, stream, [last]));
  }
  await file.flush();
}

/** Stamps the lines, and leaves out those above the rate limit. */
function judged(deps: PumpDeps, from: StreamName, lines: CutLine[]): (LogLine & { end: number; from: StreamName })[] {
  const { clock, limit, kernelLines } = deps;
  const at = clock.now();
  return lines.flatMap((line) => {
    const verdict = limit?.(Buffer.byteLength(line.text), at) ?? 'pass';
    if (verdict === 'drop') return [];
    const text = verdict === 'pass' ? line.text : 'unik: the application writes too fast, lines are dropped';
    const isApp = from === 'kernel' && kernelLines !== undefined && !kernelLines.test(withoutCodes(line.text));
    return [
      { at, stream: isApp ? 'stdout' : from, from, text: kernelLines ? withoutCodes(text) : text, end: line.end },
    ];
  });
}

/** Without the codes by which firmware moves the cursor and clears the screen. */
function withoutCodes(text: string): string {
  // eslint-disable-next-line no-control-regex -- the codes begin with the control character that is meant
  return text.replace(/\x1b(?:\[[0-9;?=]*[A-Za-z]|c)/g, '');
}
