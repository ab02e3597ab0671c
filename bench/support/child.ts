import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** Starts a program without output, in the folder. */
export function start([file = '', ...args]: readonly string[], cwd: string): ChildProcess {
  return spawn(file, args, { cwd, stdio: 'ignore' });
}

/** `kill -9`, and waits until it is gone. */
export async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}
