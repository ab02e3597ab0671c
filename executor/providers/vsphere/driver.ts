import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../../core/clock.js';
import { UnikError } from '../../../core/errors.js';
import { SharedWork } from '../../../core/shared-work.js';
import { convertDisk, describeForEsxi } from '../../disks/formats.js';
import { configSeed } from '../../disks/seed.js';
import type { Owner } from '../../model.js';
import type { Probe } from '../provider.js';
import type { Driver, MachineOrder, Place, Ref, RemoteMachine } from '../../remote/driver.js';
import { placeIn } from '../../remote/pool.js';
import type { VSphereConfig } from './config.js';
import { pathsOf, probeVSphere } from './probe.js';
import { machineSpec } from './spec.js';
import { list, moref, morefOf, Vim, VimFault, wordOf, xml, type Moref, type Node } from './vim.js';

export interface VSphereOptions {
  config: VSphereConfig;
  home: string;
  clock: Clock;
}

const LIST_TRIES = 5;
const NOTE = 'config.annotation';

/** Where machines go, looked up once. */
interface Ground {
  datacenter: Moref;
  folder: Moref;
  pool: Moref;
  network: Moref;
  /** Of the datastore. */
  browser: Moref;
}

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
  readonly #uploads = new SharedWork<string>();
  /** Machines that are being made, and the digests of their disks. */
  readonly #making = new Map<string, string>();
  #ground: Promise<Ground> | undefined;

  constructor(private readonly options: VSphereOptions) {
    this.#vim = new Vim(options.config, options.clock);
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
    const master = await this.#upload(order, ground, signal);
    await this.#makeFolder(folder, ground);
    await this.#vim.upload(`${folder}/seed.iso`, configSeed(order.config));
    await this.#copyDisk(master, `${folder}/disk.vmdk`, ground, signal);
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
    await this.#deleteFolder(this.#folder(nameOf(ref)));
  }

  /** Disks that no machine is a copy of, and folders of machines that are not there. Gives their paths. */
  async collect(owner: Owner): Promise<string[]> {
    const disks = `${this.options.config.folder}/disks`;
    const prefix = prefixOf(owner);
    // What is made while we look has its folder first.
    const folders = await this.#names(this.options.config.folder);
    const stored = await this.#names(disks);
    const machines = await this.#machines();
    const names = new Set([...machines.map(({ name }) => name), ...this.#making.keys()]);
    const used = new Set([...machines.map(({ disk }) => disk), ...this.#making.values()]);
    const gone = [
      ...stored.filter((name) => name.startsWith(prefix) && !used.has(name.slice(prefix.length))).map(within(disks)),
      ...folders.filter((name) => name.startsWith(prefix) && !names.has(name)).map((name) => this.#folder(name)),
    ];
    for (const path of gone) await this.#deleteFolder(path);
    return gone;
  }

  close(): void {
    this.#vim.close();
  }

  #folder(name: string): string {
    return `${this.options.config.folder}/${name}`;
  }

  async #deleteFolder(path: string): Promise<void> {
    const { datacenter } = await this.#where();
    const name = xml(`[${this.options.config.datastore}] ${path}`);
    const body = `<name>${name}</name>${moref('datacenter', datacenter)}`;
    await this.#vim
      .task('DeleteDatastoreFile', await this.#vim.service('fileManager'), body)
      .catch(unless('FileNotFound'));
  }

  /** Folders in a folder of the datastore; none where it is not there. */
  async #names(folder: string): Promise<string[]> {
    const { browser } = await this.#where();
    const path = `<datastorePath>${xml(`[${this.options.config.datastore}] ${folder}`)}</datastorePath>`;
    const what = '<searchSpec><query xsi:type="FolderFileQuery"/><matchPattern>*</matchPattern></searchSpec>';
    const found = await this.#vim.task('SearchDatastore', browser, `${path}${what}`).catch(unless('FileNotFound'));
    return typeof found === 'object' ? list(found['file']).map((file) => wordOf(file['path'])) : [];
  }

  async #where(): Promise<Ground> {
    this.#ground ??= this.#lookAround();
    this.#ground.catch(() => (this.#ground = undefined));
    return this.#ground;
  }

  async #lookAround(): Promise<Ground> {
    const paths = pathsOf(this.options.config);
    const get = async (path: string): Promise<Moref> => {
      const found = await this.#vim.lookUp(path);
      if (found) return found;
      throw new UnikError('provider_unavailable', `vSphere has no ${path} in its inventory`);
    };
    const datacenter = await get(paths.datacenter);
    const [facts] = await this.#vim.properties([datacenter], 'Datacenter', ['vmFolder']);
    const folder = morefOf(facts?.props['vmFolder']);
    const [store] = await this.#vim.properties([await get(paths.datastore)], 'Datastore', ['browser']);
    const browser = morefOf(store?.props['browser']);
    return { datacenter, folder, browser, pool: await get(paths.resource_pool), network: await get(paths.network) };
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

  async #makeFolder(path: string, { datacenter }: Ground): Promise<void> {
    const name = xml(`[${this.options.config.datastore}] ${path}`);
    const body = `<name>${name}</name>${moref('datacenter', datacenter)}<createParentDirectories>true</createParentDirectories>`;
    await this.#vim
      .call('MakeDirectory', await this.#vim.service('fileManager'), body)
      .catch(unless('FileAlreadyExists'));
  }

  /** The disk of an image, once; its description comes last and so tells that the rest is there. */
  #upload({ disk, owner }: MachineOrder, ground: Ground, signal: AbortSignal): Promise<string> {
    const folder = `${this.options.config.folder}/disks/${prefixOf(owner)}${disk.digest}`;
    return this.#uploads.run(folder, signal, async (enough) => {
      const path = `${folder}/disk.vmdk`;
      if (await this.#vim.download(path, 0)) return path;
      const scratch = await mkdtemp(join(this.options.home, 'upload-'));
      try {
        const [description = '', flat = ''] = await convertDisk(
          disk.path,
          'vmdk-flat',
          join(scratch, 'disk.vmdk'),
          enough,
        );
        await describeForEsxi(description, 'lsilogic');
        await this.#makeFolder(folder, ground);
        await this.#vim.upload(`${folder}/disk-flat.vmdk`, { file: flat });
        await this.#vim.upload(path, { file: description });
        return path;
      } finally {
        await rm(scratch, { recursive: true, force: true });
      }
    });
  }

  async #copyDisk(from: string, to: string, { datacenter }: Ground, signal: AbortSignal): Promise<void> {
    const name = (path: string): string => xml(`[${this.options.config.datastore}] ${path}`);
    const dc = (which: string): string => moref(which, datacenter);
    const body =
      `<sourceName>${name(from)}</sourceName>${dc('sourceDatacenter')}<destName>${name(to)}</destName>${dc('destDatacenter')}` +
      // vCenter takes no other form for the copy than its own choice.
      '<force>true</force>';
    await this.#vim.task('CopyVirtualDisk', await this.#vim.service('virtualDiskManager'), body, signal);
  }
}

/** vSphere's names have at most 80 characters. */
const prefixOf = (owner: Owner): string => `unik-${createHash('sha256').update(owner).digest('hex').slice(0, 12)}-`;
const nameOf = ({ owner, key }: { owner: Owner; key: string }): string => `${prefixOf(owner)}${key}`;
const addressOf = ({ place }: MachineOrder): { address?: string } => (place ? { address: place.address } : {});
const textOf = (node: Node[string]): string =>
  wordOf(typeof node === 'string' ? node : (node as Node | undefined)?.['#text']);

const within =
  (folder: string) =>
  (name: string): string =>
    `${folder}/${name}`;

const unless =
  (...faults: string[]) =>
  (err: unknown): undefined => {
    if (err instanceof VimFault && faults.includes(err.fault)) return undefined;
    throw err;
  };
