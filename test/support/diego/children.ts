import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export interface ChildSpec {
  name: string;
  file: string;
  args: readonly string[];
  /** Both streams are appended here. */
  log: string;
  /** Does it serve? Asked every 50 ms until true. */
  ready: () => Promise<boolean>;
  env?: NodeJS.ProcessEnv;
  uid?: number;
  gid?: number;
  cwd?: string;
  /** Sent to end it. Default SIGTERM. */
  end?: NodeJS.Signals;
}

const READY_MS = 30_000;
const END_MS = 10_000;
const RESTART_MS = 500;

/**
 * A process that is kept running, as a foundation's monit does, until it is stopped on purpose: BBS and auctioneer end
 * by themselves when they lose their lock. It dies with the test process, however that ends.
 */
export class Child {
  #child: ChildProcess | undefined;
  #wanted = false;
  #restart: NodeJS.Timeout | undefined;
  /** How often it ended by itself. */
  exits = 0;

  constructor(readonly spec: ChildSpec) {}

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Is it meant to run: started and not stopped since? */
  get isWanted(): boolean {
    return this.#wanted;
  }

  /** Settled when it serves; throws with the end of its log when it does not within 30 s. */
  async start(): Promise<void> {
    if (this.#wanted) return;
    this.#wanted = true;
    this.#spawn();
    const deadline = Date.now() + READY_MS;
    while (!(await this.spec.ready())) {
      if (!this.isWanted) throw new Error(`${this.spec.name} was stopped while it started`);
      if (Date.now() > deadline) {
        await this.stop();
        throw new Error(`${this.spec.name} does not serve after ${READY_MS} ms:\n${await tail(this.spec.log)}`);
      }
      await delay(50);
    }
  }

  /** Settled when the process is gone. SIGKILL after 10 s. */
  async stop(): Promise<void> {
    this.#wanted = false;
    clearTimeout(this.#restart);
    const child = this.#child;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    const hard = setTimeout(() => child.kill('SIGKILL'), END_MS);
    child.kill(this.spec.end ?? 'SIGTERM');
    await gone;
    clearTimeout(hard);
  }

  #spawn(): void {
    const { file, args, log, env, uid, gid, cwd } = this.spec;
    const out = openSync(log, 'a');
    const child = spawn('setpriv', ['--pdeathsig', 'SIGKILL', '--', file, ...args], {
      stdio: ['ignore', out, out],
      ...(env === undefined ? {} : { env }),
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
      ...(cwd === undefined ? {} : { cwd }),
    });
    closeSync(out);
    this.#child = child;
    child.on('error', () => this.#ended(child));
    child.on('exit', () => this.#ended(child));
  }

  #ended(child: ChildProcess): void {
    if (child !== this.#child || !this.#wanted) return;
    this.exits++;
    this.#restart = setTimeout(() => this.#spawn(), RESTART_MS);
  }
}

/** The last 4 KB of a log, or why there is none. */
export async function tail(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((err: unknown) => `no log: ${String(err)}`);
  return text.slice(-4_096);
}

/** `count` free ports of 127.0.0.1. Taken together, so that they differ. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
