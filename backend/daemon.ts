import type { Server } from 'node:http';
import { chmod, mkdir, rm } from 'node:fs/promises';
import { toUnikError } from '../core/errors.js';
import { homePaths } from '../core/home.js';
import { closeNow } from '../core/listen.js';
import type { Log } from '../core/log.js';
import { createHandlers } from './api/handlers/all.js';
import type { Parts } from './api/parts.js';
import { createServer } from './api/server.js';
import type { Config } from './config.js';
import { listenTcp, listenUnix, tokenCheck } from './listen.js';
import { takeLock } from './lock.js';

export interface Daemon {
  /** Resolves when somebody asked it to end over the API. */
  shutdown: Promise<void>;
  /** Stops serving. Machines stay as they are. */
  close(): Promise<void>;
}

export interface DaemonDeps {
  config: Config;
  log: Log;
  /** `exit` is what the API's shutdown calls. */
  makeParts: (exit: () => void) => Promise<Parts>;
}

/** Home, lock, machines, then the door: nothing is served before what runs here is known. */
export async function startDaemon({ config, log, makeParts }: DaemonDeps): Promise<Daemon> {
  const paths = homePaths(config.home);
  const unlock = await takeLock(paths.lock);
  const servers: Server[] = [];
  try {
    let exit: () => void = () => undefined;
    const shutdown = new Promise<void>((resolve) => (exit = resolve));
    const parts = await makeParts(exit);
    await parts.prepare();
    await parts.executor.recover();
    await parts.apps.recover();
    await clean(parts, log);

    const handlers = createHandlers(parts);
    servers.push(await listenUnix(createServer({ handlers, log, local: true }), paths.socket));
    if (config.listen) {
      const authorize = await tokenCheck(config.listen.token_file);
      servers.push(await listenTcp(createServer({ handlers, log, local: false, authorize }), config.listen));
    }
    log.info({ owner: config.owner, home: config.home }, 'daemon.ready');

    const close = async (): Promise<void> => {
      await Promise.all(servers.map(closeNow));
      await parts.apps.close();
      await parts.executor.close();
      await parts.close();
      await rm(paths.socket, { force: true });
      await unlock();
      log.info({}, 'daemon.closed');
    };
    return { shutdown, close };
  } catch (err) {
    await Promise.all(servers.map(closeNow));
    await unlock();
    throw err;
  }
}

/** The home and all in it are for its owner alone. Throws when another user owns it. */
export async function prepareHome(home: string): Promise<void> {
  process.umask(0o077);
  await mkdir(home, { recursive: true, mode: 0o700 });
  await chmod(home, 0o700);
}

/** Machines and files that no record knows. A failure here must not keep the rest from working. */
async function clean(parts: Parts, log: Log): Promise<void> {
  try {
    const machines = await parts.executor.gc(parts.executor.owner);
    const files = await parts.sweep();
    if (machines.length + files > 0) log.info({ machines, files }, 'gc.done');
  } catch (err) {
    log.warn({ err: toUnikError(err) }, 'gc.failed');
  }
}
