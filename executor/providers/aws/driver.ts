import {
  DeleteVolumeCommand,
  DescribeInstancesCommand,
  DescribeVolumesCommand,
  GetConsoleOutputCommand,
  RunInstancesCommand,
  TerminateInstancesCommand,
  type Instance,
  type RunInstancesCommandInput,
  type _InstanceType,
} from '@aws-sdk/client-ec2';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Clock } from '../../../core/clock.js';
import { UnikError } from '../../../core/errors.js';
import type { Key, Owner } from '../../model.js';
import type { Probe } from '../provider.js';
import type { Driver, MachineOrder, Ref, RemoteMachine, RemoteState } from '../../remote/driver.js';
import { userDataFor } from '../../remote/user-data.js';
import { makeClients, type AwsClients } from './clients.js';
import type { AwsConfig } from './config.js';
import { awsError, isGone, nameOf } from './errors.js';
import { AwsImages } from './images.js';
import { probeAws } from './probe.js';
import { ownTags, TAGS, tagOf } from './tags.js';

export interface AwsOptions {
  config: AwsConfig;
  home: string;
  clock: Clock;
  /** How long what was just made may be missing from EC2's answers. */
  consistency_ms?: number;
}

const USER_DATA = { carrier: 'EC2', bytes: 16_384 };
const CONSISTENCY_MS = 30_000;

const STATES: Record<string, RemoteState> = {
  pending: 'pending',
  running: 'running',
  // We never stop an instance: who did so wants it to end.
  ...{ stopping: 'ended', stopped: 'ended', 'shutting-down': 'ended', terminated: 'ended' },
};

/** Machines as EC2 instances: tags are the truth of what exists, client tokens keep one order from making two. */
export class AwsDriver implements Driver {
  readonly name = 'aws';
  readonly configFrom = 'imds';
  readonly firmware = 'bios';
  readonly serial = { kind: 'tail', read: (ref: Ref) => this.#console(ref) } as const;
  readonly #clients: AwsClients;
  readonly #images: AwsImages;
  /** Ordered, and not yet seen: an instance may come of it even where we heard nothing. */
  readonly #ordered = new Set<Key>();

  constructor(private readonly options: AwsOptions) {
    this.#clients = makeClients(options.config);
    const { config, clock, home } = options;
    this.#images = new AwsImages({ clients: this.#clients, config, clock, dir: join(home, 'uploads') });
  }

  probe(signal: AbortSignal): Promise<Probe> {
    return probeAws(this.#clients, this.options.config, signal);
  }

  async create(order: MachineOrder, signal: AbortSignal): Promise<RemoteMachine> {
    const known = (await this.find(order.owner)).find(({ key, state }) => key === order.key && state !== 'ended');
    if (known) return known;
    const letGo = this.#images.held.take(order.disk.digest);
    try {
      return await this.#run(order, signal);
    } finally {
      letGo();
    }
  }

  async #run(order: MachineOrder, signal: AbortSignal): Promise<RemoteMachine> {
    const image = await this.#images.ensure(order.disk, order.owner, signal);
    signal.throwIfAborted();
    this.#ordered.add(order.key);
    try {
      const run = new RunInstancesCommand(this.#order(order, image));
      const { Instances = [] } = await this.#clients.control.send(run);
      const made = Instances.map((instance) => this.#machine(instance)).find(({ key }) => key === order.key);
      if (made) return made;
      throw new UnikError('machine_failed', 'RunInstances: the answer names no instance');
    } catch (err) {
      // The token was used with another image: an earlier try of ours did get through.
      if (nameOf(err) === 'IdempotentParameterMismatch') {
        const twin = (await this.find(order.owner)).find(({ key }) => key === order.key);
        if (twin) return twin;
      }
      throw awsError(err, 'RunInstances');
    }
  }

  async find(owner: Owner): Promise<RemoteMachine[]> {
    const found = (await this.#instances(owner)).map((instance) => this.#machine(instance));
    const machines = found.filter(({ key }) => key !== '');
    for (const { key } of machines) this.#ordered.delete(key);
    return machines;
  }

  async #instances(owner: Owner): Promise<Instance[]> {
    const all: Instance[] = [];
    let token: string | undefined;
    do {
      const query = new DescribeInstancesCommand({
        Filters: [{ Name: `tag:${TAGS.owner}`, Values: [owner] }],
        ...(token === undefined ? {} : { NextToken: token }),
      });
      const page = await this.#clients.control.send(query).catch(fail('DescribeInstances'));
      all.push(...(page.Reservations ?? []).flatMap(({ Instances = [] }) => Instances));
      token = page.NextToken;
    } while (token !== undefined);
    return all;
  }

  async powerOff(ref: Ref): Promise<void> {
    await this.#terminate([ref.id]);
  }

  async remove(ref: Ref): Promise<void> {
    const { clock, consistency_ms = CONSISTENCY_MS } = this.options;
    const deadline = clock.now() + consistency_ms;
    for (;;) {
      const ids = (await this.find(ref.owner)).flatMap(({ key, id, state }) =>
        key === ref.key && state !== 'ended' ? [id] : [],
      );
      if (ids.length > 0) await this.#terminate(ids);
      else if (ref.id !== '') await this.#terminate([ref.id]);
      // An order without an answer may show only now.
      if (ids.length > 0 || !this.#ordered.has(ref.key) || clock.now() >= deadline) break;
      await clock.sleep(1_000);
    }
    this.#ordered.delete(ref.key);
  }

  async collect(owner: Owner): Promise<string[]> {
    const inUse = new Set<string>();
    const living = new Set<Key>(this.#ordered);
    for (const { ImageId, State, Tags } of await this.#instances(owner)) {
      if (STATES[State?.Name ?? ''] === 'ended') continue;
      if (ImageId !== undefined) inUse.add(ImageId);
      living.add(tagOf(Tags, TAGS.key) ?? '');
    }
    const images = await this.#images.collect(owner, inUse);
    return [...images, ...(await this.#collectVolumes(owner, living))];
  }

  /** A volume goes with its instance; where that went wrong, it stays, free and to be paid for. */
  async #collectVolumes(owner: Owner, living: ReadonlySet<Key>): Promise<string[]> {
    const gone: string[] = [];
    let token: string | undefined;
    do {
      const query = new DescribeVolumesCommand({
        Filters: [
          { Name: `tag:${TAGS.owner}`, Values: [owner] },
          { Name: 'status', Values: ['available'] },
        ],
        ...(token === undefined ? {} : { NextToken: token }),
      });
      const { Volumes = [], NextToken } = await this.#clients.control.send(query).catch(fail('DescribeVolumes'));
      for (const { VolumeId: id, Tags } of Volumes) {
        if (id === undefined || living.has(tagOf(Tags, TAGS.key) ?? '')) continue;
        await this.#clients.control.send(new DeleteVolumeCommand({ VolumeId: id })).catch((err: unknown) => {
          // Attached, or gone, since it was listed.
          if (!isGone(err) && nameOf(err) !== 'VolumeInUse') throw awsError(err, 'DeleteVolume');
        });
        gone.push(id);
      }
      token = NextToken;
    } while (token !== undefined);
    return gone;
  }

  close(): void {
    this.#clients.close();
  }

  #order(order: MachineOrder, image: string): RunInstancesCommandInput {
    const { config } = this.options;
    const tags = [
      ...ownTags(order.owner, config.tags),
      { Key: TAGS.key, Value: order.key },
      { Key: 'Name', Value: `unik ${order.name}`.slice(0, 256) },
    ];
    return {
      ImageId: image,
      InstanceType: this.#typeFor(order) as _InstanceType,
      ...{
        MinCount: 1,
        MaxCount: 1,
        ClientToken: createHash('sha256').update(`${order.owner} ${order.key}`).digest('hex'),
      },
      UserData: userDataFor(order.config, USER_DATA).toString('base64'),
      // It powers off when its application has ended: then nothing of it is to be paid for.
      InstanceInitiatedShutdownBehavior: 'terminate',
      MetadataOptions: { HttpTokens: 'required', HttpPutResponseHopLimit: 1 },
      NetworkInterfaces: [
        {
          ...{
            DeviceIndex: 0,
            SubnetId: config.subnet_id,
            Groups: config.security_group_ids,
            DeleteOnTermination: true,
          },
          AssociatePublicIpAddress: config.address === 'public',
        },
      ],
      TagSpecifications: (['instance', 'volume'] as const).map((ResourceType) => ({ ResourceType, Tags: tags })),
    };
  }

  #typeFor({ ram_mb, limits }: MachineOrder): string {
    const types = this.options.config.instance_types;
    const found = types.find(({ memory_mb, cpus }) => memory_mb >= ram_mb && cpus >= limits.cpus);
    if (found) return found.type;
    const most = Math.max(...types.map(({ memory_mb }) => memory_mb));
    throw new UnikError(
      'insufficient_memory',
      `no instance type with ${ram_mb} MB and ${limits.cpus} processors; the largest has ${most} MB`,
    );
  }

  #machine(instance: Instance): RemoteMachine {
    const state = STATES[instance.State?.Name ?? 'pending'] ?? 'pending';
    const traceless = /^(shutting-down|terminated)$/.test(instance.State?.Name ?? '');
    const address = this.options.config.address === 'public' ? instance.PublicIpAddress : instance.PrivateIpAddress;
    return {
      key: tagOf(instance.Tags, TAGS.key) ?? '',
      owner: tagOf(instance.Tags, TAGS.owner) ?? '',
      id: instance.InstanceId ?? '',
      state,
      ...(traceless ? { traceless } : {}),
      ...(address ? { address } : {}),
    };
  }

  async #terminate(ids: string[]): Promise<void> {
    try {
      await this.#clients.control.send(new TerminateInstancesCommand({ InstanceIds: ids }));
    } catch (err) {
      if (!isGone(err)) throw awsError(err, 'TerminateInstances');
    }
  }

  /** The newest 64 kB. Types that cannot tell them give what they had at their last start or end. */
  async #console(ref: Ref): Promise<Buffer | undefined> {
    const ask = (Latest: boolean) =>
      this.#clients.console.send(new GetConsoleOutputCommand({ InstanceId: ref.id, ...(Latest ? { Latest } : {}) }));
    try {
      const { Output } = await ask(true).catch((err: unknown) => {
        if (nameOf(err) === 'UnsupportedOperation') return ask(false);
        throw err;
      });
      return Output === undefined ? undefined : Buffer.from(Output, 'base64');
    } catch (err) {
      if (isGone(err)) return undefined;
      throw awsError(err, 'GetConsoleOutput');
    }
  }
}

const fail =
  (call: string) =>
  (err: unknown): never => {
    throw awsError(err, call);
  };
