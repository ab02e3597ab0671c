import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { interrupted } from './interrupt.js';

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

/** A program with our terminal, told what signals tell us. Gives what it exits with. */
export async function runInPlace([file = '', ...args]: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const child = spawn(file, args, { env, stdio: 'inherit' });
  const tell = (): boolean => child.kill('SIGTERM');
  interrupted.addEventListener('abort', tell);
  const [code] = (await once(child, 'exit')) as [number | null];
  interrupted.removeEventListener('abort', tell);
  return code ?? 1;
}
