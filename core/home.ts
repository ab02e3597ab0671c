import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** `$UNIK_HOME`, else `~/.unik`; absolute. */
export function homeOf(env: Readonly<Record<string, string | undefined>>): string {
  const given = env['UNIK_HOME'];
  return resolve(given !== undefined && given !== '' ? given : join(homedir(), '.unik'));
}

export interface HomePaths {
  config: string;
  /** The generated half of the owner. */
  cellId: string;
  socket: string;
  lock: string;
  /** Log of a detached daemon. */
  log: string;
  /** One record per unik instance. */
  apps: string;
  images: string;
  kernels: string;
  /** Which daemon the CLI talks to, where the user chose one. */
  target: string;
}

/** The files and folders that other rooms agree on. */
export function homePaths(home: string): HomePaths {
  const at = (name: string): string => join(home, name);
  return {
    config: at('config.json'),
    cellId: at('cell-id.json'),
    socket: at('unik.sock'),
    lock: at('daemon.lock'),
    log: at('daemon.log'),
    apps: at('apps'),
    images: at('images'),
    kernels: at('kernels'),
    target: at('target.json'),
  };
}
