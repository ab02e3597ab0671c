import { spawn } from 'node:child_process';
import { once } from 'node:events';

export interface Outcome {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** The real command line as a child process. */
export class Cli {
  constructor(
    private readonly bundle: string,
    readonly home: string,
    private readonly env: Record<string, string> = {},
  ) {}

  /** Runs one command to its end. */
  async run(...words: string[]): Promise<Outcome> {
    return this.start(words).outcome;
  }

  /** As `run`; throws when it does not exit with 0. Gives standard output without its last line end. */
  async ok(...words: string[]): Promise<string> {
    const { status, stdout, stderr } = await this.run(...words);
    if (status !== 0) throw new Error(`unik ${words.join(' ')} gave ${String(status)}: ${stderr}`);
    return stdout.replace(/\n$/, '');
  }

  start(words: readonly string[], env: Record<string, string> = {}): Running {
    // `--`: else node takes some options, such as --env-file, for its own.
    const child = spawn(process.execPath, ['--', this.bundle, ...words], {
      cwd: this.home,
      env: { PATH: process.env['PATH'], HOME: this.home, UNIK_HOME: this.home, ...this.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const said = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => (said[name] += text));
    }
    const outcome = once(child, 'close').then(([status]: unknown[]) => ({ status: status as number | null, ...said }));
    return { kill: (signal) => child.kill(signal), pid: child.pid ?? 0, said, outcome, stdout: child.stdout };
  }
}

export interface Running {
  kill(signal: NodeJS.Signals): void;
  pid: number;
  /** What it has written until now. */
  said: { stdout: string; stderr: string };
  stdout: NodeJS.ReadableStream;
  outcome: Promise<Outcome>;
}

/** Resolves when it has written this. Rejects when it ends before. */
export async function wrote({ said, stdout, outcome }: Running, text: string): Promise<void> {
  const ended = outcome.then(({ stderr }) => {
    if (!said.stdout.includes(text)) throw new Error(`it ended without writing ${text}: ${stderr}`);
  });
  while (!said.stdout.includes(text)) await Promise.race([once(stdout, 'data'), ended]);
}
