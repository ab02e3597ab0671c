import { spawn } from 'node:child_process';
import { chmod, mkdir, open, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import type { Clock } from '../../../core/clock.js';
import { hasCode, UnikError } from '../../../core/errors.js';
import { readJsonFile, writeJsonFile } from '../../../core/json-file.js';
import type { Log } from '../../../core/log.js';
import { identify, isAlive, kill, type ProcessIdentity } from '../../../core/process.js';
import { poll } from '../../../core/retry.js';
import { folderOf, type BootFiles } from './boot-files.js';
import type { ArmConfig } from './config.js';
import { dnsmasqArgs, readLogLine, type BoardEvent } from './dnsmasq-words.js';

interface Parts {
  config: ArmConfig;
  /** A folder of its own. */
  dir: string;
  clock: Clock;
  log: Log;
  /** Told in order, one at a time. */
  onEvent(event: BoardEvent): Promise<void>;
}

const READ_MS = 200;
const BEGIN_MS = 10_000;
/** So large may dnsmasq's log become. */
const LOG_BYTES = 4 * 1024 * 1024;

/**
 * dnsmasq, driven by us: it gives the boards their addresses and their boot files, and its log tells what they fetched.
 * One that another process of this home left running is taken over where its orders are still the same.
 */
export class BootServer {
  readonly #closed = new AbortController();
  #running: Promise<void> | undefined;
  #who: ProcessIdentity | undefined;
  #position = 0;
  #rest = '';

  constructor(private readonly parts: Parts) {}

  get tftp(): string {
    return join(this.parts.dir, 'tftp');
  }

  /** Resolves when it serves. Throws provider_unavailable with what dnsmasq said. */
  async ready(): Promise<void> {
    if (this.#who && !(await isAlive(this.#who))) this.#running = undefined;
    this.#running ??= this.#begin();
    this.#running.catch(() => (this.#running = undefined));
    await this.#running;
  }

  /** Replaces what a board finds, in one go: it never sees half a set. `copies`: files of this host, by name. */
  async publish(mac: string, files: BootFiles): Promise<void> {
    const target = join(this.tftp, folderOf(mac));
    const fresh = `${target}.new`;
    await rm(fresh, { recursive: true, force: true });
    for (const [name, content] of files) {
      const path = join(fresh, name);
      await mkdir(join(path, '..'), { recursive: true, mode: 0o755 });
      await writeFile(path, content);
      // dnsmasq serves what everybody may read, and nothing else. Folders above keep everybody out.
      await chmod(path, 0o644);
    }
    await mkdir(fresh, { recursive: true, mode: 0o755 });
    const old = `${target}.old`;
    await rm(old, { recursive: true, force: true });
    await rename(target, old).catch((err: unknown) => {
      if (!hasCode(err, 'ENOENT')) throw err;
    });
    await rename(fresh, target);
    await rm(old, { recursive: true, force: true });
  }

  /** Ends dnsmasq as well: who has booted does not need it. */
  close(): void {
    this.#closed.abort(new Error('closed'));
    if (this.#who) void kill(this.#who, 'SIGTERM');
  }

  async #begin(): Promise<void> {
    const { config, dir, clock } = this.parts;
    await mkdir(this.tftp, { recursive: true, mode: 0o755 });
    const log = join(dir, 'dnsmasq.log');
    const args = dnsmasqArgs(config, { tftp: this.tftp, leases: join(dir, 'leases'), log });
    await this.#endOld();
    await writeFile(log, '');
    this.#position = 0;
    this.#rest = '';
    const said = await open(join(dir, 'dnsmasq.err'), 'w', 0o600);
    const child = spawn(config.dnsmasq, args, { detached: true, stdio: ['ignore', said.fd, said.fd] });
    const failed = new Promise<string>((resolve) => {
      child.once('error', (err) => resolve(err.message));
      child.once('exit', () => resolve(''));
    });
    await said.close();
    child.unref();
    const begun = async (): Promise<string | undefined> =>
      (await readFile(log, 'utf8')).includes('TFTP root is') ? 'yes' : undefined;
    const what = { clock, timeout_ms: BEGIN_MS, interval_ms: 50, what: 'dnsmasq to serve' };
    const outcome = await Promise.race([poll(begun, what), failed.then((words) => ({ words }))]);
    if (typeof outcome === 'object') {
      const words = `${outcome.words} ${await readFile(join(dir, 'dnsmasq.err'), 'utf8')}`.trim();
      throw new UnikError('provider_unavailable', `dnsmasq does not serve the boards on ${config.interface}: ${words}`);
    }
    this.#who = child.pid === undefined ? undefined : await identify(child.pid);
    await writeJsonFile(join(dir, 'dnsmasq.json'), { who: this.#who, orders: digest(args) });
    void this.#listen(log);
  }

  /** Of a process of this home that was killed. */
  async #endOld(): Promise<void> {
    const old = (await readJsonFile(join(this.parts.dir, 'dnsmasq.json'))) as { who?: ProcessIdentity } | undefined;
    if (!old?.who || !(await isAlive(old.who))) return;
    const { who } = old;
    await kill(who, 'SIGTERM');
    const gone = async (): Promise<true | undefined> => ((await isAlive(who)) ? undefined : true);
    await poll(gone, {
      clock: this.parts.clock,
      timeout_ms: BEGIN_MS,
      interval_ms: 50,
      what: 'the old dnsmasq to end',
    });
  }

  async #listen(path: string): Promise<void> {
    const { clock, log } = this.parts;
    const { signal } = this.#closed;
    const who = this.#who;
    while (!signal.aborted && this.#who === who) {
      try {
        for (const line of await this.#newLines(path)) {
          const event = readLogLine(line);
          if (event) await this.parts.onEvent(event);
        }
      } catch (err) {
        log.warn({ err }, 'boards.event-lost');
      }
      await clock.sleep(READ_MS, signal).catch(() => undefined);
    }
  }

  async #newLines(path: string): Promise<string[]> {
    const { size } = await stat(path);
    if (size <= this.#position) return [];
    const file = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await file.read(
        Buffer.alloc(size - this.#position),
        0,
        size - this.#position,
        this.#position,
      );
      this.#position += bytesRead;
      const lines = (this.#rest + buffer.toString('latin1', 0, bytesRead)).split('\n');
      this.#rest = lines.pop() ?? '';
      if (this.#position > LOG_BYTES) {
        // dnsmasq appends, so what it says next stands at the beginning.
        await truncate(path, 0);
        this.#position = 0;
      }
      return lines;
    } finally {
      await file.close();
    }
  }
}

function digest(args: readonly string[]): string {
  return createHash('sha256').update(args.join('\n')).digest('hex');
}
