/** `unik up` as a process of its own, to be killed and started again, with a cell and machines that are real. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { freePorts } from '../diego/children.js';
import { root, until } from '../unik.js';

interface Address {
  host?: string | undefined;
  port?: number | undefined;
}

interface UpConfig {
  api?: Address;
  router?: Address;
  [key: string]: unknown;
}

interface Held {
  pid: number;
}

export class Platform {
  #child: ChildProcess | undefined;

  private constructor(
    readonly home: string,
    readonly api: string,
    readonly router: string,
  ) {}

  /** `config`: for `unik up`; without ports there, free ones. `prepare` is given the home before anything starts in it. */
  static async open(config: UpConfig = {}, prepare?: (home: string) => Promise<void>): Promise<Platform> {
    // What `npm start` does before it serves.
    for (const name of ['buildpack', 'lifecycle'])
      await execa(process.execPath, [join(root, `scripts/package-${name}.mjs`)]);
    const home = await mkdtemp(join(tmpdir(), 'uk-up-'));
    const free = await freePorts(2);
    const [api, router] = [config.api, config.router].map((address, at) => ({
      ...{ host: '127.0.0.1', port: free[at] },
      ...address,
    }));
    await writeFile(join(home, 'up.json'), JSON.stringify({ ...config, api, router }));
    await prepare?.(home);
    const urlOf = ({ host, port }: Address = {}): string => `http://${host}:${port}`;
    const platform = new Platform(home, urlOf(api), urlOf(router));
    await platform.start();
    return platform;
  }

  /** Settles when the API answers. */
  async start(): Promise<void> {
    const child = spawn(process.execPath, [join(root, 'dist/unik.mjs'), 'up', '--config', join(this.home, 'up.json')], {
      env: { ...process.env, UNIK_HOME: this.home },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    this.#child = child;
    const serves = async (): Promise<true | undefined> => {
      if (child.exitCode !== null) throw new Error(`unik up ended with ${child.exitCode}`);
      return fetch(this.api).then(
        () => true as const,
        () => undefined,
      );
    };
    await until('the API serves', serves, 90_000);
  }

  /** `kill -9`. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }

  /** `kill -9` of the cell alone. */
  async killCell(name = 'cell-0'): Promise<void> {
    const text = await readFile(join(this.home, 'cf/cells', name, 'home/daemon.lock'), 'utf8').catch(() => undefined);
    if (text === undefined) return;
    const { pid } = JSON.parse(text) as Held;
    try {
      process.kill(pid, 'SIGKILL');
    } catch (err) {
      // It was dead already.
      if ((err as NodeJS.ErrnoException).code !== 'ESRCH') throw err;
    }
  }

  async password(): Promise<string> {
    const text = await readFile(join(this.home, 'cf/admin.json'), 'utf8');
    return (JSON.parse(text) as { password: string }).password;
  }

  /** Machines, as the cell's records have them. */
  async machines(): Promise<string[]> {
    const home = join(this.home, 'cf/cells/cell-0/home');
    return (await readdir(join(home, 'instances'))).sort();
  }

  /** Pids whose command line names our home. */
  async processes(): Promise<number[]> {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
    const found = await Promise.all(
      pids.map(async (pid) => {
        const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
        return line.includes(this.home) ? [Number(pid)] : [];
      }),
    );
    return found.flat();
  }

  /** Ends it in order. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
  }

  async remove(): Promise<void> {
    await rm(this.home, { recursive: true, force: true });
  }
}
