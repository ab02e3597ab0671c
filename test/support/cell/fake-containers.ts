/** Containers in memory, driven by the test: nothing happens by itself. */
import { UnikError } from '../../../core/errors.js';
import type { Change, Containers, ContainerUsage, Room } from '../../../backend/cell/containers.js';
import type { Container, NetInfo, Outcome, Reservation, RunOrder } from '../../../backend/cell/model.js';

export const ROOM: Room = { memory_mb: 4096, disk_mb: 8192, containers: 50 };

export class FakeContainers implements Containers {
  readonly #containers = new Map<string, Container>();
  readonly #listeners = new Set<(guid: string) => void>();
  readonly #nets = new Map<string, NetInfo>();
  readonly #doomed = new Map<string, (() => void)[]>();
  /** Machines end as soon as they are told to. */
  obedient = true;
  closed = false;
  constructor(
    readonly total: Room = ROOM,
    readonly now: () => number = () => 0,
  ) {}

  async recover(): Promise<void> {}

  list(): Container[] {
    return [...this.#containers.values()];
  }

  get(guid: string): Container | undefined {
    return this.#containers.get(guid);
  }

  reserve(reservation: Reservation): void {
    const { guid, demand } = reservation;
    if (this.#containers.has(guid)) throw new UnikError('name_in_use', `${guid} is there already`);
    const { available } = this.room();
    if (demand.memory_mb > available.memory_mb) throw new UnikError('insufficient_memory', 'no memory left');
    if (demand.disk_mb > available.disk_mb) throw new UnikError('insufficient_disk', 'no disk left');
    if (available.containers < 1) throw new UnikError('insufficient_machines', 'no machine left');
    const container = { reservation, state: 'reserved' as const, stopped: false, routable: false };
    this.#put(guid, { ...container, reserved_at: this.now() });
  }

  run(guid: string, order: RunOrder): void {
    const container = this.#must(guid);
    if (container.state !== 'reserved') throw new UnikError('conflict', `${guid} is ${container.state}`);
    this.#put(guid, { ...container, state: 'initializing', order });
  }

  update(guid: string, change: Change): void {
    const { order, ...container } = this.#must(guid);
    this.#put(guid, order ? { ...container, order: { ...order, ...change } } : container);
  }

  stop(guid: string): void {
    const container = this.#must(guid);
    if (container.state === 'completed') return;
    this.#put(guid, { ...container, stopped: true });
    if (this.obedient) this.exit(guid, { failed: false, reason: '', retryable: false });
  }

  async cut(guid: string): Promise<void> {
    this.#must(guid);
    this.exit(guid, { failed: true, reason: 'the power was cut', retryable: false });
  }

  delete(guid: string): Promise<void> {
    const container = this.#containers.get(guid);
    if (!container) return Promise.resolve();
    if (container.state !== 'completed') this.stop(guid);
    if (this.#containers.get(guid)?.state === 'completed') {
      this.#forget(guid);
      return Promise.resolve();
    }
    return new Promise((resolve) => this.#doomed.set(guid, [...(this.#doomed.get(guid) ?? []), resolve]));
  }

  subscribe(listener: (guid: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  room(): { total: Room; available: Room } {
    const available = { ...this.total };
    for (const { reservation } of this.#containers.values()) {
      available.memory_mb -= reservation.demand.memory_mb;
      available.disk_mb -= reservation.demand.disk_mb;
      available.containers -= 1;
    }
    return { total: this.total, available };
  }

  async usage(guid: string): Promise<ContainerUsage | undefined> {
    if (this.get(guid)?.state !== 'running') return undefined;
    const bytes = { memory_bytes: 3, disk_bytes: 1, memory_quota_bytes: 4, disk_quota_bytes: 2 };
    return { guid, at: this.now(), cpu_ns: BigInt(this.now()) * 250_000n, age_ns: 1_000_000_000n, ...bytes };
  }

  netInfo(guid: string): NetInfo | undefined {
    return this.#nets.get(guid);
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  // What a machine does by itself.

  /** Its image is there, its machine boots. */
  boot(guid: string): void {
    this.#advance(guid, 'initializing', { state: 'created' });
  }

  /** Its checks pass. */
  healthy(guid: string, routable = true): void {
    const net = this.netInfo(guid) ?? {
      address: '127.0.0.1',
      ports: [{ container_port: 8080, host_port: 61000 }],
      instance_address: '10.0.0.2',
    };
    this.#nets.set(guid, net);
    this.#advance(guid, 'created', { state: 'running', routable, net, running_at: this.now() });
  }

  setRoutable(guid: string, routable: boolean): void {
    this.#advance(guid, 'running', { routable });
  }

  exit(guid: string, outcome: Outcome): void {
    const container = this.#containers.get(guid);
    if (!container || container.state === 'completed') return;
    this.#put(guid, { ...container, state: 'completed', outcome, routable: false, completed_at: this.now() });
    const gone = this.#doomed.get(guid);
    if (!gone) return;
    this.#forget(guid);
    for (const resolve of gone) resolve();
  }

  #advance(guid: string, from: Container['state'], change: Partial<Container>): void {
    const container = this.#containers.get(guid);
    if (container?.state === from) this.#put(guid, { ...container, ...change });
  }

  #must(guid: string): Container {
    const container = this.#containers.get(guid);
    if (!container) throw new UnikError('not_found', `no container ${guid}`);
    return container;
  }

  #put(guid: string, container: Container): void {
    this.#containers.set(guid, container);
    for (const listener of this.#listeners) listener(guid);
  }

  #forget(guid: string): void {
    this.#containers.delete(guid);
    this.#nets.delete(guid);
    this.#doomed.delete(guid);
    for (const listener of this.#listeners) listener(guid);
  }
}
