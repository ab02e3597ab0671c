import {
  DeleteSnapshotCommand,
  DeregisterImageCommand,
  DescribeImagesCommand,
  DescribeSnapshotsCommand,
  RegisterImageCommand,
  type Image,
  type Tag,
} from '@aws-sdk/client-ec2';
import { createHash } from 'node:crypto';
import type { Clock } from '../../../core/clock.js';
import { UnikError } from '../../../core/errors.js';
import { Holds } from '../../../core/holds.js';
import { SharedWork } from '../../../core/shared-work.js';
import { poll } from '../../../core/retry.js';
import type { Owner } from '../../model.js';
import type { RawDisk } from '../../remote/driver.js';
import { imageName } from '../../remote/names.js';
import type { AwsClients } from './clients.js';
import type { AwsConfig } from './config.js';
import { awsError, isGone, nameOf } from './errors.js';
import { ownTags, TAGS, tagOf } from './tags.js';
import { uploadSnapshot } from './upload.js';

const ROOT_DEVICE = '/dev/xvda';
const AVAILABLE_MS = 10 * 60_000;

export interface ImageParts {
  clients: AwsClients;
  config: AwsConfig;
  clock: Clock;
  /** For notes of uploads. */
  dir: string;
}

/** Machine images of disks: one for each owner and disk, found again by its name. */
export class AwsImages {
  readonly #work = new SharedWork<string>();
  /** Digests of disks whose machines are being started: nothing of them is removed meanwhile. */
  readonly held = new Holds();
  constructor(private readonly parts: ImageParts) {}

  /** The image of this disk, made when there is none. */
  ensure(disk: RawDisk, owner: Owner, signal: AbortSignal): Promise<string> {
    const name = imageName(disk.digest, owner);
    return this.#work.run(name, signal, async (enough) => {
      const known = await this.#named(name);
      return known?.ImageId ?? this.#make(disk, { name, owner }, enough);
    });
  }

  /** Removes images and their snapshots that no machine needs, and uploads that nobody here goes on with. Gives their ids. */
  async collect(owner: Owner, inUse: ReadonlySet<string>): Promise<string[]> {
    const { clients } = this.parts;
    const filters = [{ Name: `tag:${TAGS.owner}`, Values: [owner] }];
    const { Images = [] } = await clients.control
      .send(new DescribeImagesCommand({ Owners: ['self'], Filters: filters }))
      .catch(fail('DescribeImages'));
    const gone: string[] = [];
    const isHeld = (tags: readonly Tag[] | undefined): boolean => this.held.has(tagOf(tags, TAGS.disk) ?? '');
    for (const { ImageId: id, Tags } of Images) {
      if (id === undefined || inUse.has(id) || isHeld(Tags)) continue;
      await clients.control.send(new DeregisterImageCommand({ ImageId: id })).catch(unlessGone('DeregisterImage'));
      gone.push(id);
    }
    const kept = new Set(
      Images.filter(({ ImageId = '' }) => !gone.includes(ImageId)).flatMap(
        (image) => tagOf(image.Tags, TAGS.disk) ?? [],
      ),
    );
    const { Snapshots = [] } = await clients.control
      .send(new DescribeSnapshotsCommand({ OwnerIds: ['self'], Filters: filters }))
      .catch(fail('DescribeSnapshots'));
    for (const { SnapshotId: id, Tags } of Snapshots) {
      if (id === undefined || isHeld(Tags) || kept.has(tagOf(Tags, TAGS.disk) ?? '')) continue;
      await clients.control.send(new DeleteSnapshotCommand({ SnapshotId: id })).catch(unlessGone('DeleteSnapshot'));
      gone.push(id);
    }
    return gone;
  }

  async #make(disk: RawDisk, of: { name: string; owner: Owner }, signal: AbortSignal): Promise<string> {
    const { clients, config, clock, dir } = this.parts;
    const tags: Tag[] = [
      ...ownTags(of.owner, config.tags),
      { Key: TAGS.disk, Value: disk.digest },
      { Key: 'Name', Value: of.name },
    ];
    const token = createHash('sha256').update(of.name).digest('hex');
    const upload = { blocks: clients.blocks, control: clients.control, clock, dir, workers: config.upload_workers };
    const snapshot = await uploadSnapshot(disk, { ...upload, tags, token }, signal);
    const id = await this.#register(snapshot, of.name, tags);
    return poll(
      async () => {
        const image = await this.#named(of.name);
        if (image?.State === 'failed') throw new UnikError('machine_failed', `image ${id} failed at EC2`);
        return image?.State === 'available' ? image.ImageId : undefined;
      },
      { clock, signal, timeout_ms: AVAILABLE_MS, interval_ms: 1_000, what: `image ${id}` },
    );
  }

  async #register(snapshot: string, name: string, tags: Tag[]): Promise<string> {
    const { clients, config } = this.parts;
    const disk = { SnapshotId: snapshot, VolumeType: config.volume_type, DeleteOnTermination: true };
    try {
      const made = await clients.control.send(
        new RegisterImageCommand({
          Name: name,
          ...{ Architecture: 'x86_64', VirtualizationType: 'hvm', BootMode: 'legacy-bios', EnaSupport: true },
          // The guest speaks version 2 of the metadata service, so nothing else need be allowed.
          ImdsSupport: 'v2.0',
          RootDeviceName: ROOT_DEVICE,
          BlockDeviceMappings: [{ DeviceName: ROOT_DEVICE, Ebs: disk }],
          TagSpecifications: [{ ResourceType: 'image', Tags: tags }],
        }),
      );
      return made.ImageId ?? '';
    } catch (err) {
      // Somebody, or a call of ours whose answer was lost, was quicker.
      if (nameOf(err) === 'InvalidAMIName.Duplicate') return (await this.#named(name))?.ImageId ?? '';
      throw awsError(err, 'RegisterImage');
    }
  }

  async #named(name: string): Promise<Image | undefined> {
    const query = { Owners: ['self'], Filters: [{ Name: 'name', Values: [name] }] };
    const { Images = [] } = await this.parts.clients.control
      .send(new DescribeImagesCommand(query))
      .catch(fail('DescribeImages'));
    return Images.find((image) => image.Name === name && image.State !== 'deregistered');
  }
}

const fail =
  (call: string) =>
  (err: unknown): never => {
    throw awsError(err, call);
  };

const unlessGone =
  (call: string) =>
  (err: unknown): void => {
    if (!isGone(err)) throw awsError(err, call);
  };
