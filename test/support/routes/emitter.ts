/** Emitters for tests: instances are ports, driven by the test. */
import { RouteEmitter } from '../../../backend/routes/emitter.js';
import type { Wire } from '../../../backend/wire/nats.js';
import { systemClock } from '../../../core/clock.js';
import { noLog } from '../../../core/log.js';
import type { Container } from '../../../backend/cell/model.js';
import { aContainer, anLrp, anOrder } from '../cell/samples.js';
import { APP } from './backend.js';

/** What a cell's containers are to an emitter. */
export class Instances {
  readonly #containers = new Map<string, Container>();
  readonly #listeners = new Set<(guid: string) => void>();

  list(): Container[] {
    return [...this.#containers.values()];
  }

  get(guid: string): Container | undefined {
    return this.#containers.get(guid);
  }

  subscribe(listener: (guid: string) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Runs and is ready, at a port of loopback. */
  run(guid: string, index: number, port: number, hostnames: string[]): void {
    const order = anOrder({
      http_routes: [{ hostnames, port: 8080 }],
      logs: { guid: APP, index, source: 'CELL', tags: {}, bytes_per_second: -1 },
    });
    const net = {
      address: '127.0.0.1',
      instance_address: '10.201.0.2',
      ports: [{ container_port: 8080, host_port: port }],
    };
    this.set(guid, aContainer({ reservation: anLrp(guid, index), state: 'running', routable: true, order, net }));
  }

  set(guid: string, container: Container | undefined): void {
    if (container) this.#containers.set(guid, container);
    else this.#containers.delete(guid);
    for (const listener of this.#listeners) listener(guid);
  }

  change(guid: string, change: Partial<Container>): void {
    const container = this.#containers.get(guid);
    if (container) this.set(guid, { ...container, ...change });
  }
}

export function startEmitter(wire: Wire, goodbye_ms = 200): { instances: Instances; emitter: RouteEmitter } {
  const instances = new Instances();
  const options = { containers: instances, wire, clock: systemClock, log: noLog, zone: 'z1', internal: false };
  const emitter = new RouteEmitter({ ...options, goodbye_ms });
  emitter.start();
  return { instances, emitter };
}
