import { constants } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../core/clock.js';
import { toUnikError, UnikError } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import { poll } from '../../core/retry.js';
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
import { DiskCache } from './disk-cache.js';
import { DOOR_PORT, DoorTokens } from './door.js';
import type { Driver, MachineOrder, Place, RemoteMachine } from './driver.js';
import { Forwards, takesConnection } from './forward.js';
import { PACE, RemoteLive, type Pace } from './machine.js';
import { handleOf, RemoteRecords, type RemoteRecord } from './record.js';
import { Spool } from './spool.js';

export interface RemoteOptions {
  /** A folder of this provider's own. */
  home: string;
  driver: Driver;
  clock: Clock;
  log: Log;
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
  readonly #tokens: DoorTokens;
  readonly #disks: DiskCache;
  readonly #pace: Pace;
  readonly #live = new Map<Key, Promise<RemoteLive>>();
  readonly #starting = new Map<Key, Promise<MachineHandle>>();
  readonly #closed = new AbortController();
  #isWatching = false;
  /** Addresses are chosen one start at a time. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: RemoteOptions) {
    this.#records = new RemoteRecords(join(options.home, 'machines'));
    this.#tokens = new DoorTokens(options.home);
    this.#disks = new DiskCache(join(options.home, 'disks'));
    this.#pace = { ...PACE, ...options.pace };
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
    if (record?.id !== undefined) return handleOf(this.name, (await this.#attach(record)).record);
    const found = (await this.options.driver.find(handle.owner)).find(({ key }) => key === handle.key);
    if (!found || found.traceless === true) return undefined;
    // Its record was lost, or never completed: the provider's word stands.
    const adopted = { ...recordOf(found), ...(record ?? { ports: handle.ports }), id: found.id };
    await this.#records.save(adopted);
    return handleOf(this.name, (await this.#attach(adopted)).record);
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
    this.#closed.abort(new Error('closed'));
    for (const live of this.#live.values()) {
      live.then(
        (one) => one.close(),
        () => undefined,
      );
    }
    this.options.driver.close?.();
  }

  async #start(spec: MachineSpec, signal: AbortSignal): Promise<MachineHandle> {
    signal.throwIfAborted();
    const before = await this.#records.load(spec.key);
    if (before && before.owner !== spec.owner) {
      throw new UnikError('conflict', `machine ${spec.key} belongs to ${before.owner}`);
    }
    if (before?.id !== undefined) return handleOf(this.name, (await this.#attach(before)).record);
    const boot = spec.boot.disk;
    if (!boot) {
      throw new UnikError(
        'guest_unsupported',
        `this ${spec.boot.guest} image boots from no disk, which provider ${this.name} needs`,
      );
    }
    const { arch = 'x86_64' } = this.options.driver;
    if (spec.boot.arch !== arch) {
      throw new UnikError('guest_unsupported', `provider ${this.name} runs ${arch} images, not ${spec.boot.arch}`);
    }
    let address: string | undefined;
    const { forwards, ports } = await Forwards.open(spec.ports, () => address);
    try {
      const { name } = spec;
      const fresh: RemoteRecord = { schema: 1, key: spec.key, owner: spec.owner, name, ports: before?.ports ?? ports };
      const record = await this.#note(fresh, before);
      const order = await this.#order(spec, record, signal);
      const made = await this.#settled(await this.options.driver.create(order, signal), signal);
      address = made.address;
      const done: RemoteRecord = { ...record, id: made.id, ...(address === undefined ? {} : { address }) };
      await this.#records.save(done);
      return handleOf(this.name, (await this.#attach(done, forwards)).record);
    } catch (err) {
      forwards.close();
      await this.#clear({ key: spec.key, owner: spec.owner, id: '' }).catch((cause: unknown) => {
        // It carries our owner and key: `gc` finds it.
        this.options.log.error({ err: cause, key: spec.key }, 'remote.not-cleared');
      });
      throw signal.aborted ? err : toUnikError(err, 'machine_failed');
    }
  }

  /** Notes the machine before it is made, so that it can be found and cleared away whatever happens next. */
  #note(record: RemoteRecord, before: RemoteRecord | undefined): Promise<RemoteRecord> {
    const work = async (): Promise<RemoteRecord> => {
      const place = before?.place ?? (await this.#place());
      const noted = place ? { ...record, place } : record;
      await this.#records.save(noted);
      return noted;
    };
    const done = this.#turn.then(work, work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async #place(): Promise<Place | undefined> {
    const { driver } = this.options;
    if (!driver.place) return undefined;
    const taken = (await this.#records.all()).flatMap(({ place }) => (place ? [place.address] : []));
    return driver.place(taken);
  }

  async #order(spec: MachineSpec, record: RemoteRecord, signal: AbortSignal): Promise<MachineOrder> {
    const { driver } = this.options;
    const { place } = record;
    const where = { configFrom: driver.configFrom, firmware: driver.firmware, scratch_mb: spec.limits.disk_mb };
    const boot = spec.boot.disk;
    if (!boot) throw new UnikError('internal', 'a machine elsewhere without a disk');
    const disk = await this.#disks.get(boot, where, signal);
    const config = spec.configAt?.({ ports: record.ports, address: place?.address }) ?? spec.config;
    const net = place?.net ?? { mode: 'dhcp' as const, dns: spec.network.dns };
    const door = { port: DOOR_PORT, token: await this.#tokens.of(spec.key) };
    return {
      ...{
        key: spec.key,
        owner: spec.owner,
        name: spec.name,
        limits: spec.limits,
        ram_mb: spec.ram_mb,
        disk,
        boot,
        place,
      },
      config: JSON.stringify({ ...config, net, door, memory_mb: spec.limits.memory_mb }),
    };
  }

  /** Until it runs and we know where, or has ended already. */
  async #settled(made: RemoteMachine, signal: AbortSignal): Promise<RemoteMachine> {
    const { clock, driver } = this.options;
    let now: RemoteMachine | undefined = made;
    return poll(
      async () => {
        if (now && (now.state === 'ended' || (now.state === 'running' && now.address !== undefined))) return now;
        now = (await driver.find(made.owner)).find(({ key }) => key === made.key) ?? now;
        return undefined;
      },
      {
        ...{ clock, signal, timeout_ms: this.#pace.start_ms, interval_ms: Math.min(1_000, this.#pace.state_ms) },
        what: `machine ${made.key} to run at provider ${this.name}`,
      },
    );
  }

  async #recordOf({ key, owner }: Pick<MachineHandle, 'key' | 'owner'>): Promise<RemoteRecord | undefined> {
    const record = await this.#records.load(key);
    return record?.owner === owner ? record : undefined;
  }

  async #liveOf(handle: MachineHandle): Promise<RemoteLive | undefined> {
    const live = await this.#live.get(handle.key);
    if (live) return live.record.owner === handle.owner ? live : undefined;
    const record = await this.#recordOf(handle);
    return record?.id === undefined ? undefined : this.#attach(record);
  }

  #attach(record: RemoteRecord, forwards?: Forwards): Promise<RemoteLive> {
    const known = this.#live.get(record.key);
    if (known) return known;
    const live = this.#look(record, forwards);
    this.#live.set(record.key, live);
    live.catch(() => this.#live.delete(record.key));
    if (!this.#isWatching) void this.#watch();
    this.#isWatching = true;
    return live;
  }

  async #look(record: RemoteRecord, given: Forwards | undefined): Promise<RemoteLive> {
    const { driver, clock, log } = this.options;
    const spool = await Spool.open(join(this.#records.folder(record.key), 'console'));
    let forwards = given;
    if (!record.exit && !given) {
      await driver.resume?.(handleOf(this.name, record));
      forwards = (
        await Forwards.open(record.ports, () => record.address).catch((err: unknown) => {
          log.warn({ err, key: record.key }, 'remote.port-lost');
          return undefined;
        })
      )?.forwards;
    }
    const token = await this.#tokens.of(record.key);
    const save = (changed: RemoteRecord): Promise<void> => this.#records.save(changed);
    return new RemoteLive(record, { driver, spool, forwards, pace: this.#pace, clock, log, token, save });
  }

  /** Asks the provider about all machines at once, again and again. */
  async #watch(): Promise<void> {
    const { clock, log } = this.options;
    const { signal } = this.#closed;
    while (!signal.aborted) {
      try {
        await this.#tick();
      } catch (err) {
        log.warn({ err, provider: this.name }, 'remote.state-unknown');
      }
      await clock.sleep(this.#pace.state_ms, signal).catch(() => undefined);
    }
  }

  async #tick(): Promise<void> {
    const living = (await Promise.allSettled(this.#live.values())).flatMap((one) =>
      one.status === 'fulfilled' && !one.value.over ? [one.value] : [],
    );
    for (const owner of new Set(living.map(({ record }) => record.owner))) {
      const found = new Map((await this.options.driver.find(owner)).map((machine) => [machine.key, machine]));
      const mine = living.filter(({ record }) => record.owner === owner);
      // The last words of one may take their time: the others do not wait for it.
      for (const live of mine) void live.note(found.get(live.record.key));
    }
  }

  async #clear(ref: { key: Key; owner: Owner; id: string }): Promise<void> {
    await this.options.driver.remove(ref);
    const live = await this.#live.get(ref.key)?.catch(() => undefined);
    this.#live.delete(ref.key);
    live?.close();
    await live?.spool.close();
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

function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
