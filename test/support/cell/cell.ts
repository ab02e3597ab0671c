/** The cell as a process of its own, as an operator runs it: `unik cell --config FILE`. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { root, until } from '../unik.js';
import type { Diego } from '../diego/diego.js';
import { freePorts } from '../diego/children.js';

export interface CellOptions {
  diego: Diego;
  /** Its own folder; kept between starts. */
  home: string;
  cell_id: string;
  provider?: 'qemu' | 'fake';
  stacks?: string[];
  memory_mb?: number;
  containers?: number;
  placement_tags?: string[];
  /** Anything else of the cell's config file. */
  config?: Record<string, unknown>;
}

export interface Cell {
  readonly rep_url: string;
  readonly admin_url: string;
  readonly log: string;
  readonly pid: number;
  /** Starts it again after `kill`; settled when it serves. */
  start(): Promise<void>;
  kill(signal: NodeJS.Signals): Promise<void>;
  /** GET or POST with the control plane's identity; the status and the body. */
  ask(method: 'GET' | 'POST', url: string, body?: unknown): Promise<{ status: number; text: string }>;
  close(): Promise<void>;
}

/** Settled when the cell has presence and serves. */
export async function startCell(options: CellOptions): Promise<Cell> {
  const { diego, home, cell_id } = options;
  const [rep = 0, admin = 0] = await freePorts(2);
  await mkdir(home, { recursive: true });
  const file = join(home, 'cell.json');
  await writeFile(file, JSON.stringify(configOf(options, rep, admin), null, 2), { mode: 0o600 });
  const log = join(home, `${cell_id}.log`);
  const [ca, cert, key] = await Promise.all(
    [diego.certs.ca, diego.certs.cert, diego.certs.key].map((path) => readFile(path, 'utf8')),
  );
  const agent = new Agent({ connect: { ...(ca && cert && key ? { ca, cert, key } : {}) } });
  let child: ChildProcess;

  const ask: Cell['ask'] = async (method, url, body) => {
    const reply = await request(url, {
      method,
      dispatcher: agent,
      signal: AbortSignal.timeout(10_000),
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    return { status: reply.statusCode, text: await reply.body.text() };
  };
  const cell: Cell = {
    rep_url: `https://127.0.0.1:${rep}`,
    admin_url: `https://127.0.0.1:${admin}`,
    log,
    get pid() {
      return child.pid ?? 0;
    },
    async start() {
      child = spawn(process.execPath, ['--', join(root, 'dist/unik.mjs'), 'cell', '--config', file], {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, UNIK_HOME: home, NO_COLOR: '1' },
      });
      const out = createWriteStream(log, { flags: 'a' });
      child.stdout?.pipe(out, { end: false });
      child.stderr?.pipe(out, { end: false });
      const now = child;
      await until(
        `cell ${cell_id} serves (its log: ${log})`,
        async () => {
          if (now.exitCode !== null)
            throw new Error(`cell ended with ${now.exitCode}:\n${await readFile(log, 'utf8')}`);
          const done = await ask('GET', `${cell.rep_url}/state`).catch(() => undefined);
          return done?.status === 200 ? true : undefined;
        },
        60_000,
      );
    },
    async kill(signal) {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill(signal);
      await ended;
    },
    ask,
    async close() {
      await cell.kill('SIGKILL');
      await agent.close();
    },
  };
  await cell.start();
  return cell;
}

/** Of its configuration file. */
export function configOf(options: CellOptions, rep: number, admin: number): Record<string, unknown> {
  const { diego, home, cell_id } = options;
  const identity = { ca_file: diego.certs.ca, cert_file: diego.certs.cert, key_file: diego.certs.key };
  return {
    cell_id,
    home,
    zone: 'z1',
    provider: options.provider ?? 'qemu',
    stacks: options.stacks ?? ['unik'],
    memory_mb: options.memory_mb ?? 2048,
    disk_mb: 20_480,
    containers: options.containers ?? 50,
    placement_tags: options.placement_tags ?? [],
    listen_addr: `127.0.0.1:${rep}`,
    admin_addr: `127.0.0.1:${admin}`,
    external_address: '127.0.0.1',
    tls: identity,
    bbs: { url: diego.bbs_url },
    locket: { address: diego.locket_address },
    polling_interval: '5s',
    ...options.config,
  };
}
