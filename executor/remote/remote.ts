import { constants } from 'node:os';
import { join } from 'node:path';
import { abortable } from '../../core/abortable.js';
import type { Clock } from '../../core/clock.js';
import { UnikError } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import type { Key, MachineHandle, Owner, ProviderName } from '../model.js';
import type {
  Capabilities,
  ConsoleChunk,
  ConsolePosition,
  MachineExit,
  MachineSpec,
  Probe,
  Provider,
} from '../providers/provider.js';
import { Attended } from './attended.js';
import { DiskCache } from './disk-cache.js';
import { DoorTokens } from './door.js';
import type { Driver, Ref, RemoteMachine } from './driver.js';
import { takesConnection } from './forward.js';
import { PACE, type Pace, type RemoteLive } from './machine.js';
import { Maker } from './maker.js';
import { handleOf, RemoteRecords, type RemoteRecord } from './record.js';

export interface RemoteOptions {
  /** A folder of this provider's own; no second process may use it. */
  home: string;
  clock: Clock;
  log: Log;
  /** Where it is to differ from the provider's own. */
  pace?: Partial<Pace>;
}

const SAY_MS = 2_000;

/**
 * Machines at somebody else's: the half of a provider that is the same for all of them. The driver makes, finds and
 * ends machines; here are records, the console, commands to the guest, published ports and waiting.
 */
export class RemoteProvider implements Provider {
  readonly capabilities: Capabilities = { ports: true, separateStreams: true, network: ['provider'] };
  readonly #records: RemoteRecords;
  readonly #pace: Pace;
  readonly #attended: Attended;
  readonly #maker: Maker;
  readonly #starting = new Map<Key, Promise<MachineHandle>>();

  constructor(private readonly options: RemoteOptions & { driver: Driver }) {
    const { home, driver, clock, log } = options;
    this.#records = new RemoteRecords(join(home, 'machines'));
    this.#pace = { ...PACE, ...options.pace };
    const tokens = new DoorTokens(home);
    const parts = { driver, records: this.#records, tokens, pace: this.#pace, clock, log };
    this.#attended = new Attended(parts);
    const disks = new DiskCache(join(home, 'disks'));
    this.#maker = new Maker({ ...parts, disks, attended: this.#attended, clear: (ref) => this.#clear(ref) });
  }

  get name(): ProviderName {
    return this.options.driver.name;
  }

  /** Nothing of this host. */
  overheadMb(): number {
    return 0;
  }

  probe(signal: AbortSignal): Promise<Probe> {
    return this.options.driver.probe(signal);
  }

  start(spec: MachineSpec, signal: AbortSignal): Promise<MachineHandle> {
    const running = this.#starting.get(spec.key);
    if (running) return running;
    const start = this.#start(spec, signal).finally(() => this.#starting.delete(spec.key));
    this.#starting.set(spec.key, start);
    return start;
  }

  async list(owner: Owner): Promise<MachineHandle[]> {
    const [found, records] = await Promise.all([this.options.driver.find(owner), this.#records.all()]);
    const mine = records.filter((record) => record.owner === owner);
    const known = new Set(mine.map(({ key }) => key));
    const strays = found.filter(({ key, traceless }) => !known.has(key) && !traceless);
    return [...mine, ...strays.map(recordOf)].map((record) => handleOf(this.name, record));
  }

  async recover(handle: MachineHandle): Promise<MachineHandle | undefined> {
    const record = await this.#recordOf(handle);
    if (record?.id !== undefined) return this.#attach(record);
    const found = (await this.options.driver.find(handle.owner)).find(({ key }) => key === handle.key);
    if (!found || found.traceless === true) return undefined;
    // Its record was lost, or never completed: the provider's word stands.
    const adopted = { ...recordOf(found), ...(record ?? { ports: handle.ports }), id: found.id };
    await this.#records.save(adopted);
    return this.#attach(adopted);
  }

  async exits(handle: MachineHandle, signal: AbortSignal): Promise<MachineExit> {
    signal.throwIfAborted();
    const live = await this.#liveOf(handle);
    if (!live) return { reason: 'killed', message: 'no trace of the machine is left' };
    return abortable(live.exit, signal);
  }

  async stop(handle: MachineHandle, graceMs: number): Promise<void> {
    const live = await this.#liveOf(handle);
    if (!live || live.over) return;
    const { clock } = this.options;
    const deadline = clock.now() + graceMs;
    const grace = (): number => Math.max(0, deadline - clock.now());
    // A guest that still boots does not listen yet.
    const over = live.exit.then(() => 'over');
    let told = await live.say({ stop: { grace_ms: grace() } }, SAY_MS);
    while (!told && grace() > 0) {
      if ((await Promise.race([clock.sleep(Math.min(500, grace())), over])) === 'over') break;
      told = await live.say({ stop: { grace_ms: grace() } }, SAY_MS);
    }
    // Who could not be told will not power off by itself.
    const patience_ms = told ? grace() + this.#pace.power_off_ms : 0;
    if (!(await this.#endsWithin(live, patience_ms))) await live.powerOff();
    await live.exit;
  }

  async kill(handle: MachineHandle, signal: NodeJS.Signals): Promise<void> {
    const live = await this.#liveOf(handle);
    if (!live || live.over) return;
    const said = await live.say({ signal: constants.signals[signal] }, SAY_MS);
    if (signal === 'SIGKILL' && !said) await live.powerOff();
  }

  async destroy(handle: MachineHandle): Promise<void> {
    // A start under way is let finish (or fail), else it would make anew what is taken away here.
    await this.#starting.get(handle.key)?.catch(() => undefined);
    const { key, owner } = handle;
    const record = await this.#records.load(key);
    if (record && record.owner !== owner) return;
    await this.#clear({ key, owner, id: record?.id ?? '' });
  }

  async *console(handle: MachineHandle, from: ConsolePosition, signal: AbortSignal): AsyncIterable<ConsoleChunk> {
    const live = await this.#liveOf(handle);
    if (live) yield* live.spool.chunks(from, signal);
  }

  async consoleStored(handle: MachineHandle, upTo: ConsolePosition): Promise<void> {
    await (await this.#liveOf(handle))?.spool.free(upTo);
  }

  async reaches(handle: MachineHandle, guestPort: number, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    const live = await this.#liveOf(handle).catch(() => undefined);
    const address = live?.record.address;
    if (!live || live.over || address === undefined) return false;
    return takesConnection({ host: address, port: guestPort, timeout_ms: timeoutMs }, signal);
  }

  endpoint(handle: MachineHandle, guestPort: number): { host: string; port: number } | undefined {
    const published = handle.ports.find((port) => port.guest_port === guestPort && port.protocol === 'tcp');
    if (published) {
      const { host_address, host_port } = published;
      return { host: host_address === '0.0.0.0' ? '127.0.0.1' : host_address, port: host_port };
    }
    return handle.address === undefined ? undefined : { host: handle.address, port: guestPort };
  }

  /** Images and the like that no machine of this owner uses; gives what was removed. */
  async collect(owner: Owner): Promise<string[]> {
    return (await this.options.driver.collect?.(owner)) ?? [];
  }

  close(): void {
    this.#attended.close();
    this.options.driver.close?.();
  }

  async #start(spec: MachineSpec, signal: AbortSignal): Promise<MachineHandle> {
    signal.throwIfAborted();
    const before = await this.#records.load(spec.key);
    if (before && before.owner !== spec.owner) {
      throw new UnikError('conflict', `machine ${spec.key} belongs to ${before.owner}`);
    }
    if (before?.id !== undefined) return this.#attach(before);
    return handleOf(this.name, await this.#maker.make(spec, before, signal));
  }

  async #recordOf({ key, owner }: Pick<MachineHandle, 'key' | 'owner'>): Promise<RemoteRecord | undefined> {
    const record = await this.#records.load(key);
    return record?.owner === owner ? record : undefined;
  }

  async #liveOf(handle: MachineHandle): Promise<RemoteLive | undefined> {
    const live = await this.#attended.get(handle.key);
    if (live) return live.record.owner === handle.owner ? live : undefined;
    const record = await this.#recordOf(handle);
    return record?.id === undefined ? undefined : this.#attended.attach(record);
  }

  async #attach(record: RemoteRecord): Promise<MachineHandle> {
    return handleOf(this.name, (await this.#attended.attach(record)).record);
  }

  async #clear(ref: Ref): Promise<void> {
    await this.options.driver.remove(ref);
    await this.#attended.drop(ref.key);
    await this.#records.remove(ref.key);
  }

  async #endsWithin(live: RemoteLive, ms: number): Promise<boolean> {
    const timer = new AbortController();
    // Longer than a timer can wait is as good as for ever.
    const late = this.options.clock.sleep(Math.min(ms, 2 ** 31 - 1), timer.signal).then(
      () => false,
      () => false,
    );
    const answer = await Promise.race([live.exit.then(() => true), late]);
    timer.abort();
    return answer;
  }
}

function recordOf({ key, owner, id, address }: RemoteMachine): RemoteRecord {
  return { schema: 1, key, owner, name: key, ports: [], id, ...(address === undefined ? {} : { address }) };
}
