import { join } from 'node:path';
import type { Clock } from '../../../core/clock.js';
import type { Key, Owner } from '../../model.js';
import type { Driver, MachineOrder, Ref, RemoteMachine } from '../../remote/driver.js';
import { nameOf } from '../../remote/names.js';
import { userDataFor } from '../../remote/user-data.js';
import type { Probe } from '../provider.js';
import type { OpenStackConfig } from './config.js';
import { flavorFor, listFlavors, usable, type Flavor } from './flavors.js';
import { gigabytesOf, Images } from './images.js';
import { makeOnce } from './make-once.js';
import { METADATA, tagOf } from './names.js';
import { Ports } from './ports.js';
import { probeOpenStack } from './probe.js';
import { asMachine, Servers, stateOf } from './servers.js';
import { Session } from './session.js';

export interface OpenStackOptions {
  config: OpenStackConfig;
  home: string;
  clock: Clock;
  /** How long an order whose answer was lost may take to show. */
  consistency_ms?: number;
}

/** Of base64, as Nova counts it. */
const USER_DATA_BYTES = 65_535;
const CONSISTENCY_MS = 10_000;
const FLAVORS_MS = 10 * 60_000;

/**
 * Machines as Nova's servers. Their metadata is the truth of what exists. Nova knows no token that keeps one order from
 * making two: each is looked for before it is ordered, and all orders of one machine name one port, which has room for one.
 */
export class OpenStackDriver implements Driver {
  readonly name = 'openstack';
  readonly configFrom = 'seed';
  readonly firmware = 'bios';
  readonly serial = { kind: 'tail', read: (ref: Ref) => this.#servers.console(ref.id) } as const;
  readonly #session: Session;
  readonly #images: Images;
  readonly #ports: Ports;
  readonly #servers: Servers;
  /** Being made by us now: their ports are no orphans. */
  readonly #making = new Set<string>();
  /** Ordered, and not yet seen: a server may come of it even where we heard nothing. */
  readonly #ordered = new Set<Key>();
  #flavors: { at: number; all: Flavor[] } | undefined;

  constructor(private readonly options: OpenStackOptions) {
    const { config, clock, home } = options;
    const session = new Session(config, clock);
    this.#session = session;
    this.#images = new Images({ session, config, clock, dir: join(home, 'uploads') });
    this.#ports = new Ports({ session, config, clock });
    this.#servers = new Servers({ session, clock });
  }

  probe(signal: AbortSignal): Promise<Probe> {
    return probeOpenStack({ session: this.#session, config: this.options.config, ports: this.#ports }, signal);
  }

  async create(order: MachineOrder, signal: AbortSignal): Promise<RemoteMachine> {
    const data = userData(order.config);
    const name = nameOf(order);
    const letGo = this.#images.held.take(order.disk.digest);
    this.#making.add(name);
    try {
      const id = (await this.#known(order)) ?? (await this.#make(order, { name, data }, signal));
      const [built, port] = [await this.#servers.built(id, signal), (await this.#ports.named(name))[0]];
      return { ...asMachine(built), ...(port ? { address: port.address } : {}) };
    } finally {
      this.#making.delete(name);
      letGo();
    }
  }

  async find(owner: Owner): Promise<RemoteMachine[]> {
    const machines = (await this.#servers.of(owner)).map(asMachine);
    for (const { key } of machines) this.#ordered.delete(key);
    return machines;
  }

  async powerOff(ref: Ref): Promise<void> {
    await this.#servers.stop(ref.id);
  }

  async remove(ref: Ref): Promise<void> {
    const { clock, consistency_ms = CONSISTENCY_MS } = this.options;
    const deadline = clock.now() + consistency_ms;
    for (;;) {
      const ids = new Set((await this.find(ref.owner)).flatMap(({ key, id }) => (key === ref.key ? [id] : [])));
      if (ref.id !== '') ids.add(ref.id);
      await Promise.all([...ids].map((id) => this.#servers.remove(id)));
      // An order without an answer may show only now.
      if (ids.size > 0 || !this.#ordered.has(ref.key) || clock.now() >= deadline) break;
      await clock.sleep(500);
    }
    this.#ordered.delete(ref.key);
    await this.#ports.remove(ref);
  }

  async collect(owner: Owner): Promise<string[]> {
    const servers = await this.#servers.of(owner);
    const inUse = new Set(servers.flatMap(({ image }) => (typeof image === 'object' && image ? [image.id] : [])));
    const keep = new Set([...this.#making, ...servers.map((server) => nameOf(asMachine(server)))]);
    const ports = await this.#ports.collect(owner, keep);
    return [...(await this.#images.collect(owner, inUse)), ...ports];
  }

  close(): void {
    this.#session.close();
  }

  /** The server of this key, where one lives already. One that failed is taken away: it has the port. */
  async #known({ owner, key }: { owner: Owner; key: Key }): Promise<string | undefined> {
    const known = (await this.#servers.of(owner)).find(({ metadata }) => metadata[METADATA.key] === key);
    if (!known || stateOf(known) !== 'ended') return known?.id;
    await this.#servers.remove(known.id);
    return undefined;
  }

  /** Gives the server's id. */
  async #make(order: MachineOrder, its: { name: string; data: string }, signal: AbortSignal): Promise<string> {
    const [flavor, image] = await Promise.all([
      this.#flavorFor(order, signal),
      this.#images.ensure(order.disk, order.owner, signal),
    ]);
    signal.throwIfAborted();
    const port = await this.#ports.ensure(order, signal);
    const server = this.#order(order, { ...its, image, flavor: flavor.id, port: port.id });
    const group = this.options.config.server_group;
    const hints = group === undefined ? {} : { 'os:scheduler_hints': { group } };
    this.#ordered.add(order.key);
    return makeOnce({
      ...{ clock: this.options.clock, signal },
      order: () => this.#servers.create(server, hints, signal),
      find: () => this.#known(order),
    });
  }

  #order(
    order: MachineOrder,
    with_: { name: string; image: string; flavor: string; port: string; data: string },
  ): Record<string, unknown> {
    const { availability_zone, metadata } = this.options.config;
    return {
      ...{ name: with_.name, imageRef: with_.image, flavorRef: with_.flavor, networks: [{ port: with_.port }] },
      // The drive needs no service in the network; the guest takes its configuration from there alone.
      ...{ user_data: with_.data, config_drive: true },
      metadata: { ...metadata, [METADATA.owner]: order.owner, [METADATA.key]: order.key },
      tags: [tagOf(order.owner)],
      ...(availability_zone === undefined ? {} : { availability_zone }),
    };
  }

  async #flavorFor({ ram_mb, limits, disk }: MachineOrder, signal: AbortSignal): Promise<Flavor> {
    const { clock, config } = this.options;
    if (!this.#flavors || clock.now() - this.#flavors.at > FLAVORS_MS) {
      this.#flavors = { at: clock.now(), all: usable(await listFlavors(this.#session, signal), config) };
    }
    return flavorFor(this.#flavors.all, { ram_mb, cpus: limits.cpus, disk_gb: await gigabytesOf(disk) });
  }
}

/** Base64. Throws environment_too_large. Pure. */
export function userData(config: string): string {
  const bytes = Math.floor(USER_DATA_BYTES / 4) * 3;
  return userDataFor(config, { carrier: 'OpenStack', bytes }).toString('base64');
}
