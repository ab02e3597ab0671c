/** `unik cell`: configuration, parts, cell; until a signal or the end of an evacuation. */
import { setFlagsFromString } from 'node:v8';
import { systemClock } from '../../core/clock.js';
import { homePaths } from '../../core/home.js';
import { createLog } from '../../core/log.js';
import { VERSION } from '../../core/version.js';
import { prepareHome } from '../daemon.js';
import { takeLock } from '../lock.js';
import { startCell } from './cell.js';
import { loadCellConfig } from './config.js';
import { makeCellParts } from './parts.js';

/**
 * How far the heap grows beyond what lives before it is collected, percent. V8 trebles it; a cell waits most of the time,
 * beside machines that need the memory more.
 */
const HEAP_GROWTH = 50;

export interface CellRun {
  onReady: (line: string) => void;
  onSignal: (signal: 'SIGINT' | 'SIGTERM', handler: () => void) => () => void;
}

/**
 * Serves until a signal (machines stay, the presence lapses by itself) or until it was evacuated (nothing stays).
 * Throws config_invalid naming file and key, daemon_running where another cell has this home.
 */
export async function runCell(file: string, { onReady, onSignal }: CellRun): Promise<void> {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH}`);
  const config = await loadCellConfig(file);
  await prepareHome(config.home);
  const log = createLog('cell', config.log_level).child({ cell_id: config.cell_id });
  const clock = systemClock;
  const told = new AbortController();
  const asked = new Promise<void>((resolve) => told.signal.addEventListener('abort', () => resolve()));
  for (const signal of ['SIGTERM', 'SIGINT'] as const) onSignal(signal, () => told.abort());
  // A daemon of the same home would take the same machines for its own.
  const unlock = await takeLock(homePaths(config.home).lock);
  try {
    const parts = await makeCellParts(config, { clock, log });
    const cell = await startCell({ config, parts, clock, log, signal: told.signal });
    onReady(`unik cell ${VERSION} serves ${config.owner} at ${config.rep_url}`);
    await Promise.race([asked, cell.drained]);
    await cell.close();
    log.info({ drained: !told.signal.aborted }, 'cell.ended');
  } catch (err) {
    // Asked to go before Locket had let us in: nothing is wrong.
    if (!told.signal.aborted) throw err;
  } finally {
    await unlock();
  }
}
