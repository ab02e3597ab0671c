import { UnikError } from '../../core/errors.js';
import type { CapacityReport, Executor, ExecutorEvent, LogQuery } from '../../executor/executor.js';
import type { Exit, Instance, InstanceSpec, Key, LogLine } from '../../executor/model.js';

/** An executor without machines: tests make them run, speak and end by hand. */
export class MemoryExecutor implements Executor {
  readonly owner = 'test/cell-1';
  readonly instances = new Map<Key, Instance>();
  readonly lines = new Map<string, LogLine[]>();
  readonly killed: [Key, NodeJS.Signals][] = [];
  /** Thrown by the next `run`. */
  refusal: Error | undefined;
  /** New machines run at once. */
  autoRun = true;
  readonly #listeners = new Set<(event: ExecutorEvent) => void>();
  readonly #wakers = new Set<() => void>();

  async recover(): Promise<void> {
    await Promise.resolve();
  }

  async run(spec: InstanceSpec): Promise<Instance> {
    if (this.refusal) {
      const { refusal } = this;
      this.refusal = undefined;
      throw refusal;
    }
    const instance: Instance = {
      schema: 1,
      spec,
      phase: 'initializing',
      stop_requested: false,
      ready: false,
      ignored_events: 0,
      reserved_at: 1,
      charge: { memory_mb: spec.limits.memory_mb, disk_mb: spec.limits.disk_mb },
    };
    this.instances.set(spec.key, instance);
    if (this.autoRun) this.running(spec.key);
    return instance;
  }

  running(key: Key): void {
    const ports = this.#must(key).spec.ports.map((port) => ({
      ...port,
      host_port: port.host_port || 40_000 + port.guest_port,
    }));
    const { owner } = this;
    this.#change(key, 'running', {
      phase: 'running',
      ready: true,
      handle: { provider: 'fake', key, owner, version: 1, ports, data: {} },
    });
  }

  end(key: Key, exit: Partial<Exit> = {}): Instance {
    const whole: Exit = { reason: 'exited', code: 0, message: 'the application ended', at: 2, ...exit };
    return this.#change(key, 'completed', { phase: 'completed', ready: false, exit: whole });
  }

  say(logId: string, text: string, stream: LogLine['stream'] = 'stdout'): void {
    this.lines.set(logId, [...(this.lines.get(logId) ?? []), { at: Date.now(), stream, text }]);
    for (const wake of this.#wakers) wake();
  }

  get(key: Key): Instance | undefined {
    return this.instances.get(key);
  }

  list(): Instance[] {
    return [...this.instances.values()];
  }

  async stop(key: Key): Promise<Instance> {
    const instance = this.#must(key);
    if (instance.phase === 'completed') return instance;
    this.#change(key, 'unready', { stop_requested: true });
    return this.end(key, { reason: 'stopped', code: 143, message: 'stopped' });
  }

  async kill(key: Key, signal: NodeJS.Signals): Promise<void> {
    this.#must(key);
    this.killed.push([key, signal]);
    if (signal === 'SIGKILL') this.end(key, { reason: 'killed', code: 137, signal, message: 'killed by SIGKILL' });
  }

  async remove(key: Key): Promise<void> {
    const instance = this.instances.get(key);
    if (instance && instance.phase !== 'completed') this.end(key, { reason: 'stopped', message: 'removed' });
    this.instances.delete(key);
  }

  async until(key: Key, test: (instance: Instance) => boolean): Promise<Instance> {
    const instance = this.#must(key);
    if (!test(instance)) throw new UnikError('timeout', 'the memory executor does not wait');
    return instance;
  }

  subscribe(listener: (event: ExecutorEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Following ends when no machine of this log lives. */
  async *logs(logId: string, query: LogQuery, signal: AbortSignal): AsyncGenerator<LogLine> {
    const all = (): LogLine[] =>
      (this.lines.get(logId) ?? []).filter(
        (line) => (query.streams?.includes(line.stream) ?? true) && line.at >= (query.since ?? 0),
      );
    let next = query.tail === undefined ? 0 : Math.max(0, all().length - query.tail);
    for (;;) {
      for (const line of all().slice(next)) {
        next += 1;
        yield line;
      }
      const lives = this.list().some(({ spec, phase }) => spec.log_id === logId && phase !== 'completed');
      if (query.follow !== true || !lives || signal.aborted) return;
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#wakers.delete(wake);
          resolve();
        };
        this.#wakers.add(wake);
        signal.addEventListener('abort', wake, { once: true });
      });
    }
  }

  async removeLogs(logId: string): Promise<void> {
    this.lines.delete(logId);
  }

  capacity(): CapacityReport {
    const share = { total: 1000, available: 1000 };
    return { memory_mb: share, disk_mb: share, machines: share, overhead_mb: 0 };
  }

  async usage(): Promise<undefined> {
    return undefined;
  }

  async gc(): Promise<Key[]> {
    return [];
  }

  async close(): Promise<void> {
    await Promise.resolve();
  }

  #must(key: Key): Instance {
    const instance = this.instances.get(key);
    if (!instance) throw new UnikError('not_found', `no machine ${key}`);
    return instance;
  }

  #change(key: Key, type: ExecutorEvent['type'], change: Partial<Instance>): Instance {
    const instance = { ...this.#must(key), ...change };
    this.instances.set(key, instance);
    const { name, log_id } = instance.spec;
    for (const listener of this.#listeners) listener({ at: 1, key, name, log_id, type, instance });
    for (const wake of [...this.#wakers]) wake();
    return instance;
  }
}
