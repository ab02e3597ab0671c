import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, rename, stat } from 'node:fs/promises';
import { hasCode, readError, UnikError } from '../core/errors.js';
import { homePaths } from '../core/home.js';
import type { Shell } from './shell.js';

const LARGEST_LOG = 10 * 2 ** 20;

/**
 * Starts our own daemon in the background and waits until it serves. Gives its ready line, or throws what it said:
 * daemon_running where another one has the home, config_invalid and others.
 */
export async function startDetached(shell: Shell): Promise<string> {
  const log = homePaths(shell.home).log;
  await mkdir(shell.home, { recursive: true, mode: 0o700 });
  await rotate(log);
  const file = await open(log, 'a', 0o600);
  try {
    const child = fork(shell.self, ['daemon'], {
      cwd: '/',
      detached: true,
      // A daemon idles for days: a small young generation and few arenas halved its memory (200 to 92 MB, measured).
      env: { MALLOC_ARENA_MAX: '2', ...shell.env, UNIK_HOME: shell.home },
      execArgv: ['--max-semi-space-size=1'],
      stdio: ['ignore', file.fd, file.fd, 'ipc'],
    });
    const said = await hear(child);
    child.disconnect();
    child.unref();
    return said;
  } finally {
    await file.close();
  }

  /** A detached daemon tells who started it one thing: `{ready}`, or the error that ended it. */
  async function hear(child: ChildProcess): Promise<string> {
    const died = once(child, 'exit').then(([code, signal]: unknown[]) => {
      throw new UnikError('internal', `the daemon ended at once (${String(code ?? signal)}); its log is ${log}`);
    });
    const heard = once(child, 'message').then(([message]: unknown[]) => {
      if (typeof message === 'object' && message !== null && 'ready' in message) return String(message.ready);
      throw readError(message) ?? new UnikError('internal', `the daemon said something else than that it is ready`);
    });
    died.catch(() => undefined);
    return Promise.race([heard, died]);
  }
}

async function rotate(log: string): Promise<void> {
  try {
    if ((await stat(log)).size > LARGEST_LOG) await rename(log, `${log}.1`);
  } catch (err) {
    if (!hasCode(err, 'ENOENT')) throw err;
  }
}
