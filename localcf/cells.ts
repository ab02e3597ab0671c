/**
 * The cells of this machine, each a process of its own that outlives us: `kill -9` of either is a real event. A cell that
 * is found running is taken back; one that died is started again.
 */
import { spawn } from 'node:child_process';
import { mkdir, open, readFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { z } from 'zod';
import type { Clock } from '../core/clock.js';
import { hasCode, messageOf, UnikError } from '../core/errors.js';
import { homePaths } from '../core/home.js';
import { readJsonFile, writeJsonFile } from '../core/json-file.js';
import type { Log } from '../core/log.js';
import { isAlive, kill, type ProcessIdentity } from '../core/process.js';
import type { TlsIdentity } from '../core/tls.js';

export interface CellsOptions {
  /** One folder per cell is made here. */
  folder: string;
  /** The whole configuration of each cell, by its name; `home` is added. */
  configs: ReadonlyMap<string, object>;
  /** `node` with what runs `unik`: `[script]`. */
  command: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  /** Towards the admin doors. */
  tls: TlsIdentity;
  clock: Clock;
  log: Log;
}

export interface Cells {
  /** Has the cells empty themselves and end; what does not within `most_ms` is ended. Machines of those stay: see `Undo`. */
  drain(most_ms: number): Promise<void>;
  /** No cell is started any more; those that run stay. */
  close(): Promise<void>;
  /** As `drain`, for those alone that were started here: a cell that was taken back stays. */
  abandon(most_ms: number): Promise<void>;
}

const LOOK_MS = 1_000;
const READY_MS = 20_000;
/** A cell that ends at once is not started again at once. */
const PAUSE_MS = 3_000;
const LARGEST_LOG = 10 * 2 ** 20;

const lockSchema = z.object({ pid: z.number().int(), start_ticks: z.string() });

export async function startCells(options: CellsOptions): Promise<Cells> {
  const { folder, configs, clock, log } = options;
  const stopping = new AbortController();
  const names = [...configs.keys()];
  const found = await livingCells(folder, names);
  const fresh = names.filter((name) => !found.has(name));
  const abandon = async (most_ms: number): Promise<void> => {
    await Promise.all(fresh.map((name) => leave(options, name, most_ms)));
  };
  const tried = await Promise.allSettled(names.map((name) => ensure(options, name)));
  const failed = tried.find((one) => one.status === 'rejected');
  if (failed) {
    await abandon(0);
    throw failed.reason;
  }
  await Promise.all(names.map((name) => answering(options, name)));

  const isStopping = (): boolean => stopping.signal.aborted;
  const watching = (async () => {
    while (!isStopping()) {
      await clock.sleep(LOOK_MS, stopping.signal).catch(() => undefined);
      for (const name of names) {
        const isDead = (await holder(folder, name)) === undefined;
        if (!isDead || isStopping()) continue;
        log.warn({ cell: name }, 'cells.died');
        await ensure(options, name).catch((err: unknown) =>
          log.error({ cell: name, reason: messageOf(err) }, 'cells.start-failed'),
        );
        await clock.sleep(PAUSE_MS, stopping.signal).catch(() => undefined);
      }
    }
  })();

  return {
    async drain(most_ms) {
      stopping.abort();
      await watching;
      await Promise.all(names.map((name) => leave(options, name, most_ms)));
    },
    async close() {
      stopping.abort();
      await watching;
    },
    async abandon(most_ms) {
      stopping.abort();
      await watching;
      await abandon(most_ms);
    },
  };
}

/** Runs with this configuration: as found, or ended and started again where its configuration is another. */
async function ensure(options: CellsOptions, name: string): Promise<void> {
  const { folder, configs, clock, log } = options;
  const home = join(folder, name);
  const file = join(home, 'cell.json');
  const wanted = { ...configs.get(name), home: join(home, 'home') };
  await mkdir(home, { recursive: true, mode: 0o700 });
  const running = await holder(folder, name);
  const isSame = JSON.stringify(await readJsonFile(file)) === JSON.stringify(wanted);
  if (running && isSame) {
    log.info({ cell: name, pid: running.pid }, 'cells.taken-back');
    return;
  }
  if (running) await end(running, clock);
  await writeJsonFile(file, wanted);
  await start(options, name, file);
}

async function start({ folder, command, env, clock, log }: CellsOptions, name: string, file: string): Promise<void> {
  const output = join(folder, name, 'cell.log');
  await rotate(output);
  const to = await open(output, 'a', 0o600);
  try {
    const child = spawn(process.execPath, ['--max-semi-space-size=2', ...command, 'cell', '--config', file], {
      cwd: '/',
      detached: true,
      env: { MALLOC_ARENA_MAX: '2', ...env },
      stdio: ['ignore', to.fd, to.fd],
    });
    const ended = new Promise<string>((resolve) => {
      child.once('error', (err) => resolve(err.message));
      child.once('exit', (code, signal) => resolve(String(code ?? signal)));
    });
    child.unref();
    let how: string | undefined;
    void ended.then((word) => (how = word));
    for (let waited = 0; !(await holder(folder, name)); waited += 50) {
      if (how !== undefined || waited > 30_000)
        throw new UnikError('internal', `the cell ${name} ended at once (${how ?? 'no lock'}); its log is ${output}`);
      await clock.sleep(50);
    }
    log.info({ cell: name, pid: child.pid }, 'cells.started');
  } finally {
    await to.close();
  }
}

/** Which cells of a folder run now. */
export async function livingCells(folder: string, names: readonly string[]): Promise<Set<string>> {
  const alive = await Promise.all(names.map((name) => holder(folder, name)));
  return new Set(names.filter((_name, at) => alive[at] !== undefined));
}

/** Resolves when its doors are open, or when it takes too long: then the auctions find out. */
async function answering({ configs, tls, clock, log }: CellsOptions, name: string): Promise<void> {
  const agent = new Agent({ connect: { ...tls } });
  const until = clock.now() + READY_MS;
  try {
    while (clock.now() < until) {
      try {
        const { body } = await request(`https://${adminOf(configs, name)}/ping`, { dispatcher: agent });
        await body.dump();
        return;
      } catch {
        // Not yet.
        await clock.sleep(100);
      }
    }
    log.warn({ cell: name }, 'cells.not-ready');
  } finally {
    await agent.close();
  }
}

const adminOf = (configs: CellsOptions['configs'], name: string): string =>
  z.object({ admin_addr: z.string() }).parse(configs.get(name)).admin_addr;

/** The process that holds the cell's home; undefined: none is alive. */
async function holder(folder: string, name: string): Promise<ProcessIdentity | undefined> {
  try {
    const text = await readFile(homePaths(join(folder, name, 'home')).lock, 'utf8');
    const who = lockSchema.parse(JSON.parse(text));
    return (await isAlive(who)) ? who : undefined;
  } catch (err) {
    // Gone or being written.
    if (hasCode(err, 'ENOENT') || err instanceof SyntaxError || err instanceof z.ZodError) return undefined;
    throw err;
  }
}

async function leave({ folder, configs, tls, clock, log }: CellsOptions, name: string, most_ms: number): Promise<void> {
  const running = await holder(folder, name);
  if (!running) return;
  const agent = new Agent({ connect: { ...tls } });
  try {
    await request(`https://${adminOf(configs, name)}/evacuate`, { method: 'POST', dispatcher: agent }).then(
      ({ body }) => body.dump(),
    );
  } catch (err) {
    log.warn({ cell: name, reason: messageOf(err) }, 'cells.evacuate-refused');
  } finally {
    await agent.close();
  }
  const until = clock.now() + most_ms;
  while ((await isAlive(running)) && clock.now() < until) await clock.sleep(100);
  if (await isAlive(running)) {
    log.warn({ cell: name }, 'cells.did-not-leave');
    await end(running, clock);
  }
}

/** Machines stay: the next cell of this home takes them back. */
async function end(who: ProcessIdentity, clock: Clock): Promise<void> {
  await kill(who, 'SIGTERM');
  for (let waited = 0; (await isAlive(who)) && waited < 10_000; waited += 50) await clock.sleep(50);
  if (await isAlive(who)) await kill(who, 'SIGKILL');
  while (await isAlive(who)) await clock.sleep(20);
}

/** A log that has become large begins anew; the old one stays beside it. */
export async function rotate(path: string): Promise<void> {
  try {
    if ((await stat(path)).size > LARGEST_LOG) await rename(path, `${path}.1`);
  } catch (err) {
    if (!hasCode(err, 'ENOENT')) throw err;
  }
}
