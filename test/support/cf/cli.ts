import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface CfResult {
  code: number;
  stdout: string;
  stderr: string;
  /** Both, as they came. */
  output: string;
}

/** The real `cf` with a home of its own, which `remove` takes away. */
export class CfCli {
  readonly home = mkdtempSync(join(tmpdir(), 'unik-cf-'));

  constructor(
    private readonly program: string,
    private readonly env: Readonly<Record<string, string>> = {},
  ) {}

  /**
   * Ends with whatever status the command has; after `timeout_ms` it is killed, and its status is 124. `input`: what is
   * typed where it asks.
   */
  run(args: readonly string[], options: { cwd?: string; timeout_ms?: number; input?: string } = {}): Promise<CfResult> {
    const child = spawn(this.program, args, {
      cwd: options.cwd ?? this.home,
      env: { ...process.env, CF_HOME: this.home, CF_COLOR: 'false', LANG: 'C.UTF-8', ...this.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    // It may end without having read all of it.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
    const result = { code: 124, stdout: '', stderr: '', output: '' };
    const take = (stream: 'stdout' | 'stderr') => (data: Buffer) => {
      result[stream] += data.toString();
      result.output += data.toString();
    };
    child.stdout.on('data', take('stdout'));
    child.stderr.on('data', take('stderr'));
    const timer = setTimeout(() => child.kill('SIGKILL'), options.timeout_ms ?? 120_000);
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => {
        clearTimeout(timer);
        resolve({ ...result, code: code ?? 124 });
      });
    });
  }

  /** As `run`; throws with all it said when the status is not 0. */
  async ok(args: readonly string[], options: { cwd?: string; timeout_ms?: number } = {}): Promise<string> {
    const { code, output } = await this.run(args, options);
    if (code !== 0) throw new Error(`cf ${args.join(' ')} ended with ${code}:\n${output}`);
    return output;
  }

  remove(): void {
    rmSync(this.home, { recursive: true, force: true });
  }
}
