import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../../core/clock.js';
import { UnikError } from '../../../core/errors.js';
import { readJsonFile, writeJsonFile } from '../../../core/json-file.js';
import { KeyedQueue } from '../../../core/queue.js';
import { Undo } from '../../../core/undo.js';
import type { Log } from '../../../core/log.js';
import type { Key, MachineHandle, Owner, PortMapping } from '../../model.js';
import type {
  ConsoleChunk,
  ConsolePosition,
  MachineExit,
  MachineSpec,
  MachineUsage,
  Probe,
  Provider,
} from '../provider.js';
import { readKnobs, type Knobs } from './knobs.js';
import { FakeMachine, type Listener } from './machine.js';
import { fate, type FakeState } from './state.js';

export interface FakeOptions {
  /** A folder of our own: one file per machine, so that machines outlive this process. */
  dir: string;
  clock: Clock;
  log: Log;
  /** Defaults for machines whose environment does not set them. */
  knobs?: Partial<Knobs>;
}

const MB = 2 ** 20;

/** Machines that are only told about: for tests, demonstrations and for trying the cell without an emulator. */
export function createFakeProvider(options: FakeOptions): Provider {
  return new FakeProvider(options);
}

class FakeProvider implements Provider {
  readonly name = 'fake';
  readonly capabilities = { ports: true, separateStreams: true, network: ['none', 'isolated'] } as const;
  readonly #machines = new Map<Key, FakeMachine>();
  readonly #starting = new Map<Key, Promise<MachineHandle>>();

  readonly #saves = new KeyedQueue();
  #swept: Promise<void> | undefined;

  constructor(private readonly options: FakeOptions) {}

  overheadMb(): number {
    return 0;
  }

  async probe(): Promise<Probe> {
    return { healthy: true, summary: 'fake machines need nothing', findings: [], accelerator: 'none' };
  }

  async start(spec: MachineSpec, signal: AbortSignal): Promise<MachineHandle> {
    await (this.#swept ??= this.#sweep());
    const underway = this.#starting.get(spec.key);
    if (underway) return underway;
    const start = this.#start(spec, signal).finally(() => this.#starting.delete(spec.key));
    this.#starting.set(spec.key, start);
    return start;
  }

  async list(owner: Owner): Promise<MachineHandle[]> {
    await (this.#swept ??= this.#sweep());
    const names = await readdir(this.options.dir).catch(() => []);
    const keys = names.filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -'.json'.length));
    const machines = await Promise.all(keys.map((key) => this.#find(key)));
    return machines.flatMap((machine) => (machine?.state.handle.owner === owner ? [machine.state.handle] : []));
  }

  async recover(handle: MachineHandle): Promise<MachineHandle | undefined> {
    return (await this.#of(handle))?.state.handle;
  }

  async exits(handle: MachineHandle, signal: AbortSignal): Promise<MachineExit> {
    const machine = await this.#of(handle);
    if (!machine) return { reason: 'killed', message: 'there is no trace of the machine' };
    for (;;) {
      const end = machine.ended();
      if (end) return end.exit;
      await machine.wait(fate(machine.state)?.at, signal);
    }
  }

  async stop(handle: MachineHandle, graceMs: number): Promise<void> {
    const machine = await this.#of(handle);
    if (!machine) return;
    const now = this.options.clock.now();
    const { term_at = now, cut_at = Infinity } = machine.state;
    if (!machine.ended()) await this.#change(machine, { term_at, cut_at: Math.min(cut_at, now + graceMs) });
    await this.exits(handle, new AbortController().signal);
  }

  async kill(handle: MachineHandle, signal: NodeJS.Signals): Promise<void> {
    const machine = await this.#of(handle);
    if (!machine || machine.ended()) return;
    const now = this.options.clock.now();
    if (signal === 'SIGKILL') await this.#change(machine, { cut_at: now });
    if (signal === 'SIGTERM') await this.#change(machine, { term_at: machine.state.term_at ?? now });
  }

  async destroy(handle: MachineHandle): Promise<void> {
    const machine = await this.#of(handle);
    if (!machine) return;
    await this.kill(handle, 'SIGKILL');
    await machine.close();
    this.#machines.delete(handle.key);
    await this.#saves.push(handle.key, () => rm(this.#path(handle.key), { force: true }));
  }

  async *console(handle: MachineHandle, from: ConsolePosition, signal: AbortSignal): AsyncGenerator<ConsoleChunk> {
    const machine = await this.#of(handle);
    if (machine) yield* machine.console(from, signal);
  }

  async consoleStored(): Promise<void> {
    // What a fake machine says is computed anew each time: nothing to free.
  }

  async reaches(handle: MachineHandle, guestPort: number): Promise<boolean> {
    const machine = await this.#of(handle);
    return machine !== undefined && machine.listens() && this.endpoint(handle, guestPort) !== undefined;
  }

  /** As much as its time, so that what reads it has something to read. */
  async usage(handle: MachineHandle): Promise<MachineUsage | undefined> {
    const machine = await this.#of(handle);
    if (!machine || machine.ended()) return undefined;
    const age_ms = this.options.clock.now() - machine.state.powered_on_at;
    return {
      cpu_ns: Math.round(age_ms * 10_000),
      host_memory_bytes: 16 * MB,
      app_memory_bytes: 16 * MB,
      disk_bytes: MB,
    };
  }

  endpoint(handle: MachineHandle, guestPort: number): { host: string; port: number } | undefined {
    const listeners = handle.data['listeners'] as Listener[];
    const found = listeners.find((listener) => listener.guest_port === guestPort);
    return found && { host: found.host, port: found.port };
  }

  async #start(spec: MachineSpec, signal: AbortSignal): Promise<MachineHandle> {
    const { clock, log } = this.options;
    const known = await this.#find(spec.key);
    if (known && known.state.handle.owner !== spec.owner) {
      throw new UnikError('conflict', `machine ${spec.key} belongs to another owner`);
    }
    if (known) return known.state.handle;
    const knobs = readKnobs(spec.config.env, this.options.knobs ?? {});
    await clock.sleep(knobs.start_delay_ms, signal);
    if (knobs.fail_start) throw new UnikError('machine_failed', knobs.fail_start);

    const base = { provider: 'fake', key: spec.key, owner: spec.owner, version: 1 } as const;
    const state: FakeState = {
      handle: { ...base, ports: [], data: { listeners: [] } },
      knobs,
      name: spec.name,
      env: spec.config.env,
      ...(spec.config.result_file === undefined ? {} : { wants_result: true }),
      powered_on_at: clock.now(),
    };
    const machine = new FakeMachine(state, clock);
    const undo = new Undo();
    try {
      undo.push('servers', () => machine.close());
      const { ports, listeners } = await publish(machine, spec);
      const env = spec.configAt?.({ ports }).env ?? state.env;
      machine.state = { ...state, env, powered_on_at: clock.now(), handle: { ...base, ports, data: { listeners } } };
      await writeJsonFile(this.#path(spec.key), machine.state);
    } catch (err) {
      await undo.unwind(log);
      throw err;
    }
    this.#machines.set(spec.key, machine);
    return machine.state.handle;
  }

  async #change(machine: FakeMachine, what: Partial<FakeState>): Promise<void> {
    const { key } = machine.state.handle;
    machine.change({ ...machine.state, ...what });
    await this.#saves.push(key, async () => {
      // Whoever was woken may have destroyed it meanwhile.
      if (this.#machines.get(key) === machine) await writeJsonFile(this.#path(key), machine.state);
    });
  }

  async #of(handle: MachineHandle): Promise<FakeMachine | undefined> {
    const machine = await this.#find(handle.key);
    return machine?.state.handle.owner === handle.owner ? machine : undefined;
  }

  /** The machine, from memory or, after our restart, from its file. */
  async #find(key: Key): Promise<FakeMachine | undefined> {
    const known = this.#machines.get(key);
    if (known) return known;
    const state = (await readJsonFile(this.#path(key))) as FakeState | undefined;
    if (!state) return undefined;
    // Another call may have found it while we read.
    const twin = this.#machines.get(key);
    if (twin) return twin;
    const machine = new FakeMachine(state, this.options.clock);
    this.#machines.set(key, machine);
    if (!machine.ended()) {
      for (const { host, port } of machine.listeners) {
        await machine.open(host, port).catch((err: unknown) => {
          this.options.log.warn({ err, key, port }, 'fake.port-lost');
        });
      }
    }
    return machine;
  }

  /** Half-written states of a process that was killed. */
  async #sweep(): Promise<void> {
    const { dir } = this.options;
    for (const name of await readdir(dir).catch(() => [])) {
      if (name.endsWith('.tmp')) await rm(join(dir, name), { force: true });
    }
  }

  #path(key: Key): string {
    return join(this.options.dir, `${key}.json`);
  }
}

/** Opens the published ports and one for `PORT`, where that is not published. */
async function publish(
  machine: FakeMachine,
  spec: MachineSpec,
): Promise<{ ports: PortMapping[]; listeners: Listener[] }> {
  const ports: PortMapping[] = [];
  const listeners: Listener[] = [];
  for (const mapping of spec.ports) {
    const host_port = await machine.open(mapping.host_address, mapping.host_port);
    ports.push({ ...mapping, host_port });
    listeners.push({ guest_port: mapping.guest_port, host: mapping.host_address, port: host_port });
  }
  const own = Number(spec.config.env['PORT'] ?? 0);
  if (own > 0 && !listeners.some((listener) => listener.guest_port === own)) {
    listeners.push({ guest_port: own, host: '127.0.0.1', port: await machine.open('127.0.0.1', 0) });
  }
  return { ports, listeners };
}
