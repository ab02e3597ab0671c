import type { Clock } from '../../../core/clock.js';
import type { Owner } from '../../model.js';
import type { Probe } from '../provider.js';
import { configSeed } from '../../disks/seed.js';
import type { Driver, MachineOrder, Place, Ref, RemoteMachine } from '../../remote/driver.js';
import { nameOf, prefixOf } from '../../remote/names.js';
import { addressOf, placeIn } from '../../remote/pool.js';
import type { VSphereConfig } from './config.js';
import { Datastore } from './datastore.js';
import { lookAround, type Ground } from './ground.js';
import { probeVSphere } from './probe.js';
import { machineSpec } from './spec.js';
import { list, moref, morefOf, unless, Vim, VimFault, wordOf, type Moref, type Node } from './vim.js';

export interface VSphereOptions {
  config: VSphereConfig;
  home: string;
  clock: Clock;
}

const LIST_TRIES = 5;
const NOTE = 'config.annotation';

interface VSphereMachine {
  ref: Moref;
  name: string;
  on: boolean;
  /** Digest of the disk it is a copy of. */
  disk: string;
}

/**
 * Machines of vSphere. Their names carry owner and key. Each has a folder on the datastore with a copy of the image's
 * disk (destroying a machine destroys its disk), its seed and its serial line.
 */
export class VSphereDriver implements Driver {
  readonly name = 'vsphere';
  readonly configFrom = 'seed';
  readonly firmware = 'bios';
  readonly serial = {
    kind: 'after',
    read: (ref: Ref, bytes: number) => this.#vim.download(`${this.#folder(nameOf(ref))}/serial.log`, bytes),
  } as const;
  readonly #vim: Vim;
  readonly #store: Datastore;
  /** Machines that are being made, and the digests of their disks. */
  readonly #making = new Map<string, string>();
  #ground: Promise<Ground> | undefined;

  constructor(private readonly options: VSphereOptions) {
    const { config, home, clock } = options;
    this.#vim = new Vim(config, clock);
    this.#store = new Datastore({ vim: this.#vim, name: config.datastore, home, ground: () => this.#where() });
  }

  place(taken: readonly string[]): Place {
    return placeIn(this.options.config.addresses, taken);
  }

  probe(signal: AbortSignal): Promise<Probe> {
    return probeVSphere(this.#vim, this.options.config, signal);
  }

  async create(order: MachineOrder, signal: AbortSignal): Promise<RemoteMachine> {
    const known = (await this.find(order.owner)).find(({ key }) => key === order.key);
    if (known?.state === 'running') return { ...known, ...addressOf(order) };
    if (known) await this.remove(known);
    const name = nameOf(order);
    this.#making.set(name, order.disk.digest);
    try {
      await this.#make(order, name, signal);
    } finally {
      this.#making.delete(name);
    }
    return { key: order.key, owner: order.owner, id: name, state: 'running', ...addressOf(order) };
  }

  async #make(order: MachineOrder, name: string, signal: AbortSignal): Promise<void> {
    const { config } = this.options;
    const ground = await this.#where();
    const folder = this.#folder(name);
    const masters = `${config.folder}/disks/${prefixOf(order.owner)}${order.disk.digest}`;
    const master = await this.#store.upload(order.disk, masters, signal);
    await this.#store.makeFolder(folder);
    await this.#vim.upload(`${folder}/seed.iso`, configSeed(order.config));
    await this.#store.copyDisk(master, `${folder}/disk.vmdk`, signal);
    const spec = machineSpec({
      ...{ name, folder, ram_mb: order.ram_mb, cpus: order.limits.cpus, owner: order.owner, key: order.key },
      ...{ disk: `${folder}/disk.vmdk`, seed: `${folder}/seed.iso`, serial: `${folder}/serial.log` },
      ...{ datastore: config.datastore, network: config.network, networkRef: ground.network },
      note: order.disk.digest,
    });
    const made = await this.#vim.task('CreateVM', ground.folder, `${spec}${moref('pool', ground.pool)}`, signal);
    await this.#vim.task('PowerOnVM', morefOf(made), '', signal);
  }

  async find(owner: Owner): Promise<RemoteMachine[]> {
    const prefix = prefixOf(owner);
    return (await this.#machines()).flatMap(({ name, on }) =>
      name.startsWith(prefix)
        ? [{ key: name.slice(prefix.length), owner, id: name, state: on ? ('running' as const) : ('ended' as const) }]
        : [],
    );
  }

  async powerOff(ref: Ref): Promise<void> {
    const machine = await this.#named(nameOf(ref));
    if (machine?.on)
      await this.#vim.task('PowerOffVM', machine.ref).catch(unless('InvalidPowerState', 'ManagedObjectNotFound'));
  }

  async remove(ref: Ref): Promise<void> {
    await this.powerOff(ref);
    const machine = await this.#named(nameOf(ref));
    if (machine) await this.#vim.task('Destroy', machine.ref).catch(unless('ManagedObjectNotFound'));
    await this.#store.deleteFolder(this.#folder(nameOf(ref)));
  }

  /** Disks that no machine is a copy of, and folders of machines that are not there. Gives their paths. */
  async collect(owner: Owner): Promise<string[]> {
    const disks = `${this.options.config.folder}/disks`;
    const prefix = prefixOf(owner);
    // What is made while we look has its folder first.
    const folders = await this.#store.folders(this.options.config.folder);
    const stored = await this.#store.folders(disks);
    const machines = await this.#machines();
    const names = new Set([...machines.map(({ name }) => name), ...this.#making.keys()]);
    const used = new Set([...machines.map(({ disk }) => disk), ...this.#making.values()]);
    const gone = [
      ...stored.filter((name) => name.startsWith(prefix) && !used.has(name.slice(prefix.length))).map(within(disks)),
      ...folders.filter((name) => name.startsWith(prefix) && !names.has(name)).map((name) => this.#folder(name)),
    ];
    for (const path of gone) await this.#store.deleteFolder(path);
    return gone;
  }

  close(): void {
    this.#vim.close();
  }

  #folder(name: string): string {
    return `${this.options.config.folder}/${name}`;
  }

  async #where(): Promise<Ground> {
    this.#ground ??= lookAround(this.#vim, this.options.config);
    this.#ground.catch(() => (this.#ground = undefined));
    return this.#ground;
  }

  /** A machine that goes while its facts are read spoils the whole answer: then all is read anew. */
  async #machines(): Promise<VSphereMachine[]> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#readMachines();
      } catch (err) {
        if (!(err instanceof VimFault) || tries === LIST_TRIES) throw err;
      }
    }
  }

  async #readMachines(): Promise<VSphereMachine[]> {
    const { folder } = await this.#where();
    const [facts] = await this.#vim.properties([folder], 'Folder', ['childEntity']);
    const children = facts?.props['childEntity'] as Node | undefined;
    const refs = list(children?.['ManagedObjectReference'])
      .map(morefOf)
      .filter(({ type }) => type === 'VirtualMachine');
    const found = await this.#vim.properties(refs, 'VirtualMachine', ['name', 'runtime.powerState', NOTE]);
    return found.map(({ object, props }) => ({
      ref: object,
      name: textOf(props['name']),
      on: textOf(props['runtime.powerState']) !== 'poweredOff',
      disk: textOf(props[NOTE]),
    }));
  }

  async #named(name: string): Promise<VSphereMachine | undefined> {
    return (await this.#machines()).find((machine) => machine.name === name);
  }
}

const textOf = (node: Node[string]): string =>
  wordOf(typeof node === 'string' ? node : (node as Node | undefined)?.['#text']);

const within =
  (folder: string) =>
  (name: string): string =>
    `${folder}/${name}`;
