import { setMaxListeners } from 'node:events';
import { join } from 'node:path';
import type { Clock } from '../core/clock.js';
import { toUnikError, UnikError } from '../core/errors.js';
import type { Log } from '../core/log.js';
import { KeyedQueue } from '../core/queue.js';
import { chargeFor, lookUp, machineSpec, type Catalogue, type LateEnv, type Parts } from './boot.js';
import { admit, holdsMachine, report, Tally, type Capacity } from './capacity.js';
import { createLimit } from './console/limit.js';
import { LOG_LIMITS, openLogs } from './console/logs.js';
import type { LogLimits } from './console/log-writer.js';
import type { Executor, ExecutorEvent } from './executor.js';
import { openHealth } from './health.js';
import { Life } from './life.js';
import type { Charge, Instance, InstanceSpec, Key, MachineHandle, Owner } from './model.js';
import { holdersOf, probePorts } from './ports.js';
import { whatIsLeft } from './recover.js';
import { checkedName, openRecords } from './records.js';
import { Waiters } from './waiters.js';

export interface ExecutorDeps extends Catalogue {
  owner: Owner;
  /** Our folder: `instances/` and `logs/` in it are ours. */
  home: string;
  log: Log;
  clock: Clock;
  /** Asked at each admission. */
  capacity: () => Capacity;
  logs?: Partial<LogLimits>;
  /** Bytes a second that one instance may log; absent: no limit. */
  log_bytes_per_s?: number;
  /** Asked at each boot, again after our restart. */
  lateEnv?: LateEnv;
}

/** Runs machines. `recover` must be called once before anything else. */
export function createExecutor(deps: ExecutorDeps): Executor {
  const { owner, home, log, clock, providers } = deps;
  const records = openRecords(join(home, 'instances'), log);
  const logs = openLogs(join(home, 'logs'), { ...LOG_LIMITS, ...deps.logs }, clock, log);
  const lives = new Map<Key, Life>();
  /** Admitted, record not yet written. */
  const reserved = new Map<Key, Instance>();
  const saves = new KeyedQueue();
  const waiters = new Waiters();
  const listeners = new Set<(event: ExecutorEvent) => void>();
  const closed = new AbortController();
  const checkHealth = openHealth(clock);
  let recovered = false;
  const tally = new Tally();
  // Everyone who waits for a stop listens to it.
  setMaxListeners(0, closed.signal);

  function* all(): Generator<Instance> {
    yield* reserved.values();
    for (const life of lives.values()) yield life.instance;
  }
  const list = (): Instance[] => [...all()].sort((a, b) => a.reserved_at - b.reserved_at);

  function announce(type: ExecutorEvent['type'], instance: Instance): void {
    const { key, name, log_id } = instance.spec;
    log.info({ key, name, phase: instance.phase, exit: instance.exit }, `instance.${type}`);
    for (const listener of listeners) {
      try {
        listener({ at: clock.now(), key, name, log_id, type, instance });
      } catch (err) {
        log.error({ err }, 'executor.listener-failed');
      }
    }
  }

  async function boot(instance: Instance, signal: AbortSignal): Promise<MachineHandle> {
    const { spec } = instance;
    // The kernel that was chosen and charged for; a newer one is for the next instance.
    const parts = await lookUp(instance.kernel === undefined ? spec : { ...spec, kernel: instance.kernel }, deps);
    admit(spec.name, instance.charge, tally.without(spec.key), deps.capacity());
    signal.throwIfAborted();
    return parts.provider.start(machineSpec(spec, parts, deps.lateEnv), signal);
  }

  async function begin(instance: Instance): Promise<Life> {
    const { spec } = instance;
    const provider = providers.get(spec.provider);
    if (!provider) throw new UnikError('provider_unknown', `this cell has no provider ${spec.provider}`);
    const hold = holdsMachine(instance) ? { hold: await logs.hold(spec.log_id, spec.key) } : {};
    const { kernelLines } = deps.guests.get(instance.guest ?? 'linux') ?? {};
    const limit = deps.log_bytes_per_s === undefined ? {} : { limit: createLimit(deps.log_bytes_per_s) };
    const changed = (now: Instance): void => {
      if (!holdsMachine(now)) tally.remove(now.spec.key);
      waiters.changed(now);
    };
    const life = new Life(instance, {
      ...{ clock, records, saves, provider, boot, announce, changed },
      ...hold,
      ...limit,
      ...(kernelLines ? { kernelLines } : {}),
      log: log.child({ key: spec.key }),
    });
    lives.set(spec.key, life);
    reserved.delete(spec.key);
    tally.set(instance);
    return life;
  }

  /** Takes what the machine needs, or throws: nothing comes between asking and taking. */
  function reserve(spec: InstanceSpec, charge: Charge, parts: Parts): Instance {
    if (lives.has(spec.key) || reserved.has(spec.key)) {
      throw new UnikError('conflict', `instance ${spec.key} exists already`);
    }
    const holder = holdersOf(spec.ports, all())[0];
    if (holder) {
      const wanted = spec.ports.map((port) => `${port.host_address}:${port.host_port}`).join(', ');
      throw new UnikError('port_taken', `port ${wanted} is taken by ${holder.spec.name}`);
    }
    admit(spec.name, charge, tally.sum, deps.capacity());
    const instance: Instance = {
      ...{ schema: 1, spec, phase: 'reserved', charge, kernel: parts.kernel.id, guest: parts.guest.name },
      ...{ stop_requested: false, ready: false, ignored_events: 0, reserved_at: clock.now() },
    };
    reserved.set(spec.key, instance);
    tally.set(instance);
    return instance;
  }

  /** As `reserve`, after waiting for machines that have ended to be cleared away, should they stand in the way. */
  async function reserveSoon(spec: InstanceSpec, charge: Charge, parts: Parts): Promise<Instance> {
    try {
      return reserve(spec, charge, parts);
    } catch (err) {
      const leaving = list().filter((instance) => instance.phase === 'completed' && holdsMachine(instance));
      if (leaving.length === 0) throw err;
      const limit = AbortSignal.timeout(CLEARING_MS);
      await Promise.allSettled(leaving.map(({ spec: { key } }) => until(key, isOver, limit)));
      return reserve(spec, charge, parts);
    }
  }

  async function run(spec: InstanceSpec): Promise<Instance> {
    closed.signal.throwIfAborted();
    checkedName('key', spec.key);
    checkedName('log_id', spec.log_id);
    if (spec.owner !== owner) throw new UnikError('bad_request', `owner: this cell is ${owner}, not ${spec.owner}`);
    const parts = await lookUp(spec, deps);
    // Built once to hear now of what would fail later.
    machineSpec(spec, parts);
    await checkHealth(parts.provider, closed.signal);
    const instance = await reserveSoon(spec, chargeFor(spec, parts), parts);
    try {
      if (parts.provider.capabilities.ports) await probePorts(spec.ports);
      await records.save(instance);
      const life = await begin(instance);
      announce('reserved', instance);
      life.dispatch({ type: 'run' });
      return life.instance;
    } catch (err) {
      await records.remove(spec.key);
      throw toUnikError(err);
    } finally {
      if (reserved.delete(spec.key)) tally.remove(spec.key);
    }
  }

  function lifeOf(key: Key): Life {
    const life = lives.get(key);
    if (!life) throw new UnikError('not_found', `there is no instance ${key}`);
    return life;
  }

  function until(key: Key, test: (instance: Instance) => boolean, signal: AbortSignal): Promise<Instance> {
    return waiters.until(lifeOf(key).instance, test, signal);
  }

  async function stop(key: Key, graceMs?: number): Promise<Instance> {
    const life = lifeOf(key);
    life.dispatch({ type: 'stop', grace_ms: graceMs ?? life.instance.spec.grace_ms });
    return until(key, isOver, closed.signal);
  }

  async function remove(key: Key): Promise<void> {
    if (!lives.has(key)) return;
    await stop(key, 0);
    // Another remove may have been quicker.
    const life = lives.get(key);
    if (!life) return;
    await saves.push(key, () => records.remove(key));
    if (!lives.delete(key)) return;
    tally.remove(key);
    waiters.removed(key);
    announce('removed', life.instance);
  }

  async function gc(whose: Owner): Promise<Key[]> {
    const gone: Key[] = [];
    for (const provider of providers.values()) {
      for (const handle of await provider.list(whose)) {
        const known = list().find((instance) => instance.spec.key === handle.key && instance.spec.owner === whose);
        if (known && holdsMachine(known)) continue;
        await provider.destroy(handle);
        log.warn({ key: handle.key, owner: whose, provider: provider.name }, 'machine.stray-destroyed');
        gone.push(handle.key);
      }
    }
    return gone;
  }

  return {
    owner,
    async usage(key) {
      const instance = lives.get(key)?.instance;
      if (!instance?.handle || instance.phase === 'completed') return undefined;
      return providers.get(instance.spec.provider)?.usage?.(instance.handle);
    },
    async recover() {
      if (recovered) return;
      recovered = true;
      const found = await records.load();
      const left = whatIsLeft({ owner, providers, log });
      await Promise.all(
        found.map(async (instance) => {
          try {
            const life = await begin(instance);
            const handle = await left.of(instance);
            life.dispatch(handle ? { type: 'recovered', handle } : { type: 'recovered' });
          } catch (err) {
            log.error({ err, key: instance.spec.key }, 'instance.not-recovered');
          }
        }),
      );
      await saves.idle();
      await left.tellStrays(new Set(lives.keys()));
    },
    run,
    get: (key) => lives.get(key)?.instance ?? reserved.get(key),
    list,
    stop,
    async kill(key, signal) {
      const { instance } = lifeOf(key);
      if (instance.phase === 'completed') return;
      const provider = providers.get(instance.spec.provider);
      if (!instance.handle || !provider)
        throw new UnikError('conflict', `${instance.spec.name} is still being started`);
      await provider.kill(instance.handle, signal);
    },
    remove,
    until,
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    logs: (logId, query, signal) => logs.read(logId, query, signal),
    removeLogs: (logId) => logs.remove(logId),
    capacity() {
      const provided = [...providers.values()].map((provider) => provider.overheadMb());
      return report(tally.sum, deps.capacity(), Math.max(0, tally.overhead_mb, ...provided));
    },
    gc,
    async close() {
      closed.abort(new Error('unik is closing'));
      await Promise.all([...lives.values()].map((life) => life.close()));
      await saves.idle();
    },
  };
}

const CLEARING_MS = 10_000;

/** Completed, and nothing of its machine is left. */
const isOver = (instance: Instance): boolean => !holdsMachine(instance);
