import { rm } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import { abortable } from '../../../core/abortable.js';
import type { Clock } from '../../../core/clock.js';
import { toUnikError, UnikError } from '../../../core/errors.js';
import type { Log } from '../../../core/log.js';
import { isAlive, isOnPath, kill } from '../../../core/process.js';
import { poll } from '../../../core/retry.js';
import type { Arch, Key, MachineHandle, NetworkMode, Owner } from '../../model.js';
import type {
  Capabilities,
  ConsoleChunk,
  ConsolePosition,
  MachineExit,
  MachineSpec,
  MachineUsage,
  NetworkChoice,
  Probe,
  Provider,
} from '../provider.js';
import { FILES, PROGRAMS, TRANSLATION_BUFFER_MB, type Accelerator } from './args.js';
import { tail } from './console.js';
import { monitorOf } from '../../guests/linux/control.js';
import { readControl } from './control.js';
import { homeTag, uidBase } from './host.js';
import { launchLog } from './launch.js';
import { LiveMachine } from './live.js';
import { LogSpace } from './log-space.js';
import { DEFAULT_SUBNETS, type Subnets } from './net/addresses.js';
import { bridgeNetwork, type BridgeConfig } from './net/bridge.js';
import { isolatedNetwork } from './net/isolated.js';
import { publishedEndpoint, type Network, type NetworkContext } from './net/network.js';
import { noNetwork } from './net/none.js';
import { tapNetwork } from './net/tap.js';
import { userNetwork } from './net/user.js';
import { prepare } from './prepare.js';
import { HostProbe } from './probe.js';
import { handleOf, Machines, type MachineFolder, type MachineRecord } from './record.js';
import { Reservations } from './reserve.js';
import { checkTender } from './tender.js';
import { usageOf } from './usage.js';

export interface QemuOptions {
  /** Machines live in `<home>/machines`. One process at a time looks after a home. */
  home: string;
  clock: Clock;
  log: Log;
  /** Where programs are found: qemu-system-x86_64, ip, nft, unshare, setpriv, slirp4netns and others. */
  path: string;
  /** Default: kvm where a probe proves that it boots, else tcg. */
  accelerator?: Accelerator;
  subnets?: Subnets;
  /** What network `bridge` is; absent: there is none. */
  bridge?: BridgeConfig | undefined;
}

/** What QEMU itself takes on the host beside the guest's memory, MB, measured under emulation; the cache is extra. */
const PROCESS_MB = 60;
export const QEMU_OVERHEAD_MB = PROCESS_MB + TRANSLATION_BUFFER_MB;
const UP_TIMEOUT_MS = 20_000;
/** Of this host: machines of other processors are emulated. */
const HOST_ARCH: Arch = 'x86_64';

/** Machines as processes on this host: of QEMU, or of a Solo5 tender. */
export class QemuProvider implements Provider {
  readonly name = 'qemu';
  readonly capabilities: Capabilities;
  readonly #machines: Machines;
  readonly #subnets: Subnets;
  readonly #root = process.getuid?.() === 0;
  readonly #networks: Record<NetworkMode, Network>;
  readonly #host: HostProbe;
  readonly #live = new Map<Key, LiveMachine>();
  readonly #starting = new Map<Key, Promise<MachineHandle>>();
  readonly #space = new LogSpace();
  readonly #reservations: Reservations;

  constructor(private readonly options: QemuOptions) {
    this.#machines = new Machines(join(options.home, 'machines'));
    const bridge = options.bridge ? (['bridge'] as const) : [];
    this.capabilities = {
      ...{ ports: true, separateStreams: true },
      network: ['tap', 'user', 'isolated', 'none', ...bridge],
    };
    this.#subnets = options.subnets ?? DEFAULT_SUBNETS;
    const context: NetworkContext = {
      root: this.#root,
      subnets: this.#subnets,
      uidOf: (slot) => (this.#root ? uidBase(options.home) + slot : 0),
      tag: homeTag(options.home),
      log: options.log,
    };
    this.#networks = {
      tap: tapNetwork(context),
      user: userNetwork(context),
      isolated: isolatedNetwork(),
      bridge: bridgeNetwork(context, options.bridge),
      none: noNetwork(this.#root),
      // Asked of this provider, it is one nobody else provides.
      provider: noNetwork(this.#root),
    };
    const uidOf = (slot: number): number => (this.#root ? uidBase(options.home) + slot : (process.getuid?.() ?? 0));
    this.#reservations = new Reservations(this.#machines, this.#subnets, uidOf);
    this.#host = new HostProbe({
      home: options.home,
      path: options.path,
      root: this.#root,
      program: PROGRAMS[HOST_ARCH],
    });
  }

  overheadMb(): number {
    return QEMU_OVERHEAD_MB;
  }

  probe(signal: AbortSignal): Promise<Probe> {
    return this.#host.probe(signal);
  }

  /** The best network this host offers, and why not a better one. */
  chooseNetwork(): Promise<NetworkChoice> {
    return this.#host.chooseNetwork();
  }

  start(spec: MachineSpec, signal: AbortSignal): Promise<MachineHandle> {
    const running = this.#starting.get(spec.key);
    if (running) return running;
    const start = this.#start(spec, signal).finally(() => this.#starting.delete(spec.key));
    this.#starting.set(spec.key, start);
    return start;
  }

  async list(owner: Owner): Promise<MachineHandle[]> {
    const { records, unrecorded, broken } = await this.#machines.all();
    if (broken.length > 0) this.options.log.warn({ machines: broken }, 'qemu.records-unreadable');
    // A start that was cut off before its first note: the folder is all there is of it.
    for (const key of unrecorded) {
      if (!this.#starting.has(key)) await this.#machines.folder(key).remove();
    }
    return records.filter((record) => record.owner === owner).map(handleOf);
  }

  async recover(handle: MachineHandle): Promise<MachineHandle | undefined> {
    const record = await this.#recordOf(handle);
    if (!record) return undefined;
    if (record.qemu) this.#attach(record);
    return handleOf(record);
  }

  async exits(handle: MachineHandle, signal: AbortSignal): Promise<MachineExit> {
    signal.throwIfAborted();
    const live = await this.#liveOf(handle);
    if (!live) return { reason: 'killed', message: 'no trace of the machine is left' };
    return abortable(live.exit(), signal);
  }

  async stop(handle: MachineHandle, graceMs: number): Promise<void> {
    await (await this.#liveOf(handle))?.stop(graceMs);
  }

  async kill(handle: MachineHandle, signal: NodeJS.Signals): Promise<void> {
    await (await this.#liveOf(handle))?.signal(constants.signals[signal]);
  }

  async destroy(handle: MachineHandle): Promise<void> {
    // A start under way is let finish (or fail), else it would make anew what is taken away here.
    await this.#starting.get(handle.key)?.catch(() => undefined);
    const record = await this.#recordOf(handle);
    if (record) await this.#clear(record);
  }

  async *console(handle: MachineHandle, from: ConsolePosition, signal: AbortSignal): AsyncIterable<ConsoleChunk> {
    const live = await this.#liveOf(handle);
    if (live) yield* tail(live.folder, from, live.ended, signal);
  }

  async consoleStored(handle: MachineHandle, upTo: ConsolePosition): Promise<void> {
    const live = await this.#liveOf(handle);
    if (live) await this.#space.stored(live.record, live.folder, upTo);
  }

  async reaches(handle: MachineHandle, guestPort: number, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    const live = await this.#liveOf(handle);
    if (!live || signal.aborted || !(await isAlive(live.record.qemu))) return false;
    const { record, folder } = live;
    return this.#networks[record.mode].reaches(record, folder, guestPort, timeoutMs, signal);
  }

  async begun(handle: MachineHandle): Promise<void> {
    await (
      await this.#liveOf(handle)
    )?.taken;
  }

  async monitorPasses(handle: MachineHandle): Promise<boolean | undefined> {
    const live = await this.#liveOf(handle);
    return live && monitorOf(await readControl(live.folder));
  }

  endpoint(handle: MachineHandle, guestPort: number): { host: string; port: number } | undefined {
    const { address } = handle;
    return (
      publishedEndpoint(handle.ports, guestPort) ??
      (address === undefined ? undefined : { host: address, port: guestPort })
    );
  }

  async usage(handle: MachineHandle): Promise<MachineUsage | undefined> {
    const record = await this.#recordOf(handle);
    return record?.qemu && usageOf(record.qemu, this.#machines.folder(record.key));
  }

  /** Ends our watching; the machines go on. The object is of no use afterwards. */
  close(): void {
    for (const live of this.#live.values()) live.forget();
    this.#live.clear();
  }

  async #start(spec: MachineSpec, signal: AbortSignal): Promise<MachineHandle> {
    signal.throwIfAborted();
    const folder = this.#machines.folder(spec.key);
    const before = await folder.load();
    if (before && before.owner !== spec.owner) {
      throw new UnikError('conflict', `machine ${spec.key} belongs to ${before.owner}`);
    }
    if (before?.qemu) return handleOf(this.#attach(before).record);
    if (before) await this.#clear(before);
    if (spec.network.mode === 'provider') {
      throw new UnikError('network_unavailable', 'network provider: machines of qemu are on this host');
    }
    const accelerator = await this.#acceleratorFor(spec, signal);
    const { record, letGo } = await this.#reservations.take(spec, folder, accelerator);
    try {
      return handleOf(await this.#powerOn(spec, record, folder, signal));
    } catch (err) {
      await this.#clear((await folder.load()) ?? record);
      throw signal.aborted ? err : toUnikError(err, 'machine_failed');
    } finally {
      letGo();
    }
  }

  /** Throws guest_unsupported. */
  async #acceleratorFor({ boot, network }: MachineSpec, signal: AbortSignal): Promise<MachineRecord['accelerator']> {
    const { arch, tender } = boot;
    if (tender) return checkTender(tender, { arch, path: this.options.path, mode: network.mode });
    if (arch === HOST_ARCH) return this.options.accelerator ?? (await this.#host.accelerator(signal)).accelerator;
    const program = PROGRAMS[arch];
    if (!isOnPath(program, this.options.path)) {
      throw new UnikError(
        'guest_unsupported',
        `images for ${arch} need ${program}: install the package qemu-system-arm`,
      );
    }
    return 'tcg';
  }

  async #powerOn(
    spec: MachineSpec,
    reserved: MachineRecord,
    folder: MachineFolder,
    signal: AbortSignal,
  ): Promise<MachineRecord> {
    const network = this.#networks[reserved.mode];
    const { launched, record, configured } = await prepare(spec, reserved, folder, {
      ...{ root: this.#root, network, path: this.options.path, file_bytes: this.#space.limit(reserved) },
    });
    signal.throwIfAborted();
    launched.go();
    const live = this.#attach(record);
    await this.#untilUp(live, folder, signal);
    if (network.settle) {
      const over = new AbortController();
      void live.exit().then(({ message }) => {
        over.abort(new UnikError('machine_failed', `the machine ended before it had an address: ${message}`));
      });
      const settled = await network.settle(record, folder, AbortSignal.any([signal, over.signal]));
      await folder.save(Object.assign(live.record, settled));
    }
    // QEMU has read it.
    if (configured.file) await rm(join(folder.vm, FILES.firmware), { force: true });
    return live.record;
  }

  async #untilUp(live: LiveMachine, folder: MachineFolder, signal: AbortSignal): Promise<void> {
    const timer = AbortSignal.any([signal, AbortSignal.timeout(UP_TIMEOUT_MS)]);
    const outcome = await abortable(Promise.race([live.up.then(() => 'up'), live.ended.then(() => 'ended')]), timer);
    if (outcome === 'up') return;
    const words = await launchLog(folder);
    if (/Could not set up host forwarding rule/.test(words)) throw new UnikError('port_taken', words);
    throw new UnikError('machine_failed', `QEMU ended at once: ${words}`);
  }

  /** Takes away process, wiring and files. Each step may find its work done already. */
  async #clear(record: MachineRecord): Promise<void> {
    const folder = this.#machines.folder(record.key);
    if (record.qemu) {
      const who = record.qemu;
      await kill(who, 'SIGKILL');
      const gone = async (): Promise<true | undefined> => ((await isAlive(who)) ? undefined : true);
      const clock = this.options.clock;
      await poll(gone, { clock, timeout_ms: 10_000, interval_ms: 10, what: `QEMU ${who.pid} to end` });
    }
    await this.#networks[record.mode].detach(record, folder);
    const live = this.#live.get(record.key);
    await live?.ended.catch(() => undefined);
    live?.forget();
    this.#live.delete(record.key);
    this.#space.forget(folder);
    await folder.remove();
  }

  /** The record, when the machine exists and is of the owner that the handle names. */
  async #recordOf(handle: MachineHandle): Promise<MachineRecord | undefined> {
    const record = await this.#machines.folder(handle.key).load();
    return record?.owner === handle.owner ? record : undefined;
  }

  async #liveOf(handle: MachineHandle): Promise<LiveMachine | undefined> {
    const live = this.#live.get(handle.key);
    if (live?.record.owner === handle.owner) return live;
    const record = await this.#recordOf(handle);
    return record?.qemu && this.#attach(record);
  }

  #attach(record: MachineRecord): LiveMachine {
    const known = this.#live.get(record.key);
    if (known) return known;
    if (!record.qemu) throw new UnikError('internal', `machine ${record.key} was never started`);
    const { clock, log } = this.options;
    const folder = this.#machines.folder(record.key);
    const live = new LiveMachine({ ...record, qemu: record.qemu }, folder, clock, log.child({ key: record.key }));
    this.#live.set(record.key, live);
    return live;
  }
}
