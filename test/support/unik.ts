/** Drives the real `unik` command with a home of its own, as a user would. */
import { execa } from 'execa';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
const bundle = join(root, 'dist/unik.mjs');

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

export interface Unik {
  home: string;
  /** Runs `unik ARGS`; never throws for an exit code. */
  (args: string[], options?: { env?: Record<string, string>; timeout_ms?: number }): Promise<Ran>;
  /** The same, and the parsed JSON of standard output; throws unless the exit code is 0. */
  json: <T = Record<string, unknown>>(args: string[]) => Promise<T>;
  ok: (args: string[], options?: { env?: Record<string, string>; timeout_ms?: number }) => Promise<string>;
  /** `unik down`, then the home is removed. */
  close: () => Promise<void>;
}

/** A home below a short temporary folder (Unix socket paths are limited to 107 bytes). */
export async function makeUnik(
  options: {
    home?: string;
    env?: Record<string, string>;
    /** Words before each command, such as of `withMovableNode`. */
    prefix?: readonly string[];
  } = {},
): Promise<Unik> {
  const home = options.home ?? (await mkdtemp(join(tmpdir(), 'uk-')));
  const unik = async (
    args: string[],
    extra: { env?: Record<string, string>; timeout_ms?: number } = {},
  ): Promise<Ran> => {
    const [program = '', ...words] = [...(options.prefix ?? []), process.execPath, '--', bundle, ...args];
    const done = await execa(program, words, {
      reject: false,
      stdin: 'ignore',
      timeout: extra.timeout_ms ?? 120_000,
      stripFinalNewline: false,
      env: { UNIK_HOME: home, NO_COLOR: '1', ...options.env, ...extra.env },
    });
    return { code: done.exitCode ?? -1, stdout: done.stdout, stderr: done.stderr };
  };
  const ok: Unik['ok'] = async (args, extra) => {
    const done = await unik(args, extra);
    if (done.code !== 0)
      throw new Error(`unik ${args.join(' ').slice(0, 300)}: exit ${done.code}\n${done.stderr}${done.stdout}`);
    return done.stdout;
  };
  return Object.assign(unik, {
    home,
    ok,
    json: async <T>(args: string[]): Promise<T> => JSON.parse(await ok([...args, '--json'])) as T,
    close: async (): Promise<void> => {
      await unik(['down']);
      await rm(home, { recursive: true, force: true });
    },
  });
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return address.port;
}

/** The body of the first 200 within the time; throws the last failure. */
export async function fetchUntil200(url: string, timeout_ms = 60_000): Promise<string> {
  const deadline = Date.now() + timeout_ms;
  for (;;) {
    try {
      const reply = await fetch(url, { signal: AbortSignal.timeout(5_000) });
      const body = await reply.text();
      if (reply.status === 200) return body;
      if (Date.now() > deadline) throw new Error(`${url}: status ${reply.status}`);
    } catch (err) {
      if (Date.now() > deadline) throw err;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export async function until<T>(
  what: string,
  attempt: () => Promise<T | undefined> | T | undefined,
  timeout_ms = 30_000,
): Promise<T> {
  const deadline = Date.now() + timeout_ms;
  for (;;) {
    const value = await attempt();
    if (value !== undefined) return value;
    if (Date.now() > deadline) throw new Error(`still not: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Processes that work for `home`, by command line, working folder or environment: what a clean-up must have ended. */
export async function processesOf(home: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    const folder = await readlink(`/proc/${pid}/cwd`).catch(() => '');
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
    const works = command.includes(home) || folder.startsWith(home) || environment.includes(`UNIK_HOME=${home}\0`);
    if (works) found.push(`${pid} ${command.replaceAll('\0', ' ').slice(0, 400)}`);
  }
  return found;
}

/** The daemon that serves `home`. */
export async function daemonOf(home: string): Promise<number> {
  const line = (await processesOf(home)).find((entry) => / daemon( |$)/.test(entry));
  if (line === undefined) throw new Error(`no daemon serves ${home}`);
  return Number.parseInt(line, 10);
}

/** Files below the folder, relative. */
export async function filesBelow(dir: string): Promise<string[]> {
  if (!existsSync(dir)) return [];
  return (await readdir(dir, { recursive: true })).sort();
}
