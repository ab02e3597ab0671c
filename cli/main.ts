/** The only place of the CLI that knows `process`. The daemon's side is loaded when it is needed, not for each `ps`. */
import { homeOf } from '../core/home.js';
import { runCommandLine } from './program.js';

const onSignal = (signal: 'SIGINT' | 'SIGTERM', handler: () => void): (() => void) => {
  process.on(signal, handler);
  return () => void process.off(signal, handler);
};

const operateCell = (): Promise<typeof import('../backend/cell/operate.js')> => import('../backend/cell/operate.js');

// `unik ps | head` closes our output early: nothing more is wanted from us.
process.stdout.on('error', (err: NodeJS.ErrnoException) => process.exit(err.code === 'EPIPE' ? 0 : 1));

process.exitCode = await runCommandLine(
  {
    home: homeOf(process.env),
    env: process.env,
    cwd: process.cwd(),
    stdout: process.stdout,
    stderr: process.stderr,
    self: process.argv[1] ?? '',
    now: () => Date.now(),
    onSignal,
    tellParent: (word) => void process.send?.(word),
    local: {
      runDaemon: async (home, onReady) => (await import('../backend/main.js')).runDaemon(home, { onReady, onSignal }),
      runCell: async (file, onReady) => (await import('../backend/cell/main.js')).runCell(file, { onReady, onSignal }),
      prepareCell: async (file, onLine) => (await operateCell()).prepareCell(file, onLine),
      awaitCell: async (file, timeout_ms) => (await operateCell()).awaitCell(file, timeout_ms),
      drainCell: async (file, onProgress) => (await operateCell()).drainCell(file, onProgress),
      runStager: async (file, onReady) =>
        (await import('../backend/stager/main.js')).runStager(file, { onReady, onSignal }),
      runUp: async (options) => (await import('../localcf/main.js')).runUp({ ...options, onSignal }),
      runDown: async (options) => (await import('../localcf/main.js')).runDown(options),
      runFiles: async (file, onReady) =>
        (await import('../backend/files/main.js')).runFiles(file, { onReady, onSignal }),
      doctor: async (home) => (await import('../backend/main.js')).doctor(home),
    },
  },
  process.argv.slice(2),
);
