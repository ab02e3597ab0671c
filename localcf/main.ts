/** `unik up`: configuration, lock, Cloud Foundry; until a signal. `unik down` ends what a killed one left. */
import { access, mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { systemClock } from '../core/clock.js';
import { hasCode, UnikError } from '../core/errors.js';
import { writeJsonFile } from '../core/json-file.js';
import { createLog } from '../core/log.js';
import { identify, isAlive, kill, type ProcessIdentity } from '../core/process.js';
import { VERSION } from '../core/version.js';
import { livingCells, rotate } from './cells.js';
import { loadConfig } from './config.js';
import { startLocalCf, type LocalCf } from './localcf.js';
import type { LocalCfOptions } from './options.js';

export interface UpOptions {
  /** `$UNIK_HOME`: ours is the folder `cf` in it. */
  home: string;
  config?: string | undefined;
  cells?: number | undefined;
  default_stack?: string | undefined;
  /** Where our log goes; absent: to standard error. */
  log_file?: string | undefined;
  /** The script that runs `unik`. */
  self: string;
  env: Readonly<Record<string, string | undefined>>;
  onReady: (up: Pick<LocalCf, 'api_url' | 'router_url' | 'admin'> & { apps_domain: string }) => void;
  onSignal: (signal: 'SIGINT' | 'SIGTERM', handler: () => void) => () => void;
}

/** With which the last one served. */
const CONFIG = 'config.json';

/** Serves until a signal; then nothing of it runs any more, and everything is as it was at the next start. */
export async function runUp(options: UpOptions): Promise<void> {
  const { home, self, env, onReady, onSignal } = options;
  const folder = join(home, 'cf');
  const config = await loadConfig(options.config);
  if (options.cells !== undefined) config.cells = options.cells;
  if (options.default_stack !== undefined) config.default_stack = options.default_stack;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (options.log_file !== undefined) await rotate(options.log_file);
  const log = createLog('localcf', config.log_level, options.log_file);
  await takeTurn(folder);
  // For who clears away after us.
  await writeJsonFile(join(folder, CONFIG), config);
  const asked = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) onSignal(signal, resolve);
  });
  const up = await startLocalCf({
    ...{ home: folder, config, env, log, clock: systemClock, command: [self], shipped: await shippedFiles() },
  });
  const { api_url, router_url, admin } = up;
  onReady({ api_url, router_url, admin, apps_domain: config.apps_domain });
  await asked;
  log.info({}, 'localcf.draining');
  await up.drain();
}

/** Ends the one that serves, and what it left when it was killed. False: there was nothing. */
export async function runDown({ home, self, env }: Pick<UpOptions, 'home' | 'self' | 'env'>): Promise<boolean> {
  const folder = join(home, 'cf');
  const running = await holder(folder);
  if (!running) return clearAway({ folder, self, env });
  await kill(running, 'SIGTERM');
  for (let waited = 0; await isAlive(running); waited += 100) {
    if (waited > 180_000) throw new UnikError('timeout', `localcf (pid ${running.pid}) has not ended within 180 s`);
    await systemClock.sleep(100);
  }
  return true;
}

/** Machines and cells that outlived their localcf: only one that serves can end them in order. */
async function clearAway({
  folder,
  self,
  env,
}: Pick<UpOptions, 'self' | 'env'> & { folder: string }): Promise<boolean> {
  const names = await readdir(join(folder, 'cells')).catch((err: unknown) => {
    if (hasCode(err, 'ENOENT')) return [];
    throw err;
  });
  if ((await livingCells(join(folder, 'cells'), names)).size === 0) return false;
  await takeTurn(folder);
  const config = await loadConfig(join(folder, CONFIG));
  const log = createLog('localcf', 'warn');
  const up = await startLocalCf({
    ...{ home: folder, config: { ...config, cells: names.length }, env, log, clock: systemClock },
    ...{ command: [self], shipped: await shippedFiles() },
  });
  await up.drain();
  return true;
}

/** Beside the bundle, or where `npm run package:...` puts them. Throws shipped_missing before anything is started. */
async function shippedFiles(): Promise<LocalCfOptions['shipped']> {
  const here = fileURLToPath(new URL('./', import.meta.url));
  const dist = here.endsWith('/dist/') ? here : fileURLToPath(new URL('../dist/', import.meta.url));
  const shipped = {
    lifecycle: join(dist, 'unik_app_lifecycle.tgz'),
    buildpack: join(dist, `unik_buildpack-v${VERSION}.zip`),
  };
  for (const file of Object.values(shipped)) {
    try {
      await access(file);
    } catch (err) {
      throw new UnikError('shipped_missing', `${file}, which staging needs, is not packed yet`, { cause: err });
    }
  }
  return shipped;
}

const lockSchema = z.object({ pid: z.number().int(), start_ticks: z.string() });

async function takeTurn(folder: string): Promise<void> {
  const other = await holder(folder);
  if (other) throw new UnikError('daemon_running', `localcf with pid ${other.pid} already serves ${folder}`);
  await writeJsonFile(join(folder, 'localcf.lock'), await identify(process.pid));
}

async function holder(folder: string): Promise<ProcessIdentity | undefined> {
  try {
    const who = lockSchema.parse(JSON.parse(await readFile(join(folder, 'localcf.lock'), 'utf8')));
    return (await isAlive(who)) ? who : undefined;
  } catch (err) {
    if (hasCode(err, 'ENOENT')) return undefined;
    throw err;
  }
}
