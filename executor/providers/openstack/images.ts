import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { z } from 'zod';
import type { Clock } from '../../../core/clock.js';
import { UnikError } from '../../../core/errors.js';
import { Holds } from '../../../core/holds.js';
import { poll } from '../../../core/retry.js';
import { SharedWork } from '../../../core/shared-work.js';
import { convertDisk } from '../../disks/formats.js';
import type { Owner } from '../../model.js';
import type { RawDisk } from '../../remote/driver.js';
import { imageName } from '../../remote/names.js';
import type { OpenStackConfig } from './config.js';
import { hasStatus, isUncertain } from './errors.js';
import { makeOnce } from './make-once.js';
import { PROPERTIES } from './names.js';
import type { Session } from './session.js';

const ACTIVE_MS = 10 * 60_000;
const TRIES = 3;

const imageSchema = z.looseObject({
  id: z.string(),
  name: z.string().nullish(),
  status: z.string(),
  os_hash_algo: z.string().nullish(),
  os_hash_value: z.string().nullish(),
});
type Image = z.output<typeof imageSchema>;
const pageSchema = z.object({ images: z.array(imageSchema), next: z.string().optional() });

export interface ImageParts {
  session: Session;
  config: OpenStackConfig;
  clock: Clock;
  /** For disks in the image's format while they are sent. */
  dir: string;
}

/** Glance's images of disks: one for each owner and disk, found again by name and properties. */
export class Images {
  readonly #work = new SharedWork<string>();
  /** Digests of disks whose machines are being started: nothing of them is removed meanwhile. */
  readonly held = new Holds();
  constructor(private readonly parts: ImageParts) {}

  /** The image of this disk, made when there is none. */
  ensure(disk: RawDisk, owner: Owner, signal: AbortSignal): Promise<string> {
    const name = imageName(disk.digest, owner);
    return this.#work.run(name, signal, async (enough) => {
      const known = await this.#named(name, enough);
      const active = known.find(({ status }) => status === 'active');
      if (active) return active.id;
      // Nobody but this cell makes images of this name, and it does one thing at a time: these broke off.
      for (const { id } of known) await this.#delete(id);
      return this.#make(disk, { name, owner }, enough);
    });
  }

  /** Removes what no machine needs, and uploads that broke off. Gives their ids. */
  async collect(owner: Owner, inUse: ReadonlySet<string>): Promise<string[]> {
    const gone: string[] = [];
    for (const image of await this.#list({ [PROPERTIES.owner]: owner })) {
      const held = this.held.has(String(image[PROPERTIES.disk]));
      // The filter is one that a service may not know; what is not ours stays.
      if (image[PROPERTIES.owner] !== owner || inUse.has(image.id) || held) continue;
      if (await this.#delete(image.id)) gone.push(image.id);
    }
    return gone;
  }

  async #make(disk: RawDisk, of: { name: string; owner: Owner }, signal: AbortSignal): Promise<string> {
    const { image_format: format } = this.parts.config;
    const file = format === 'raw' ? disk.path : join(this.parts.dir, `${disk.digest}.${format}`);
    try {
      if (format !== 'raw') {
        await mkdir(this.parts.dir, { recursive: true, mode: 0o700 });
        await convertDisk(disk.path, format, file, signal);
      }
      for (let attempt = 1; ; attempt++) {
        const id = await this.#create(disk, of, signal);
        try {
          return await this.#upload(id, file, signal);
        } catch (err) {
          // What is half there is of no use to anybody.
          await this.#delete(id);
          if (signal.aborted || attempt >= TRIES || !isUncertain(err)) throw err;
        }
      }
    } finally {
      if (format !== 'raw') await rm(file, { force: true });
    }
  }

  async #create(disk: RawDisk, { name, owner }: { name: string; owner: Owner }, signal: AbortSignal): Promise<string> {
    const { session, config, clock } = this.parts;
    const json = {
      ...{ name, disk_format: config.image_format, container_format: 'bare', visibility: 'private' },
      ...{ hw_disk_bus: 'virtio', hw_vif_model: 'virtio', hw_firmware_type: 'bios', os_type: 'linux' },
      // To cut the power is to cut it: the guest has been asked before, by us.
      os_shutdown_timeout: '0',
      ...config.image_properties,
      ...{ [PROPERTIES.owner]: owner, [PROPERTIES.disk]: disk.digest },
      min_disk: await gigabytesOf(disk),
    };
    const order = { service: 'image', method: 'POST', path: '/images', json, signal } as const;
    return makeOnce({
      ...{ clock, signal },
      order: async () => (await session.ask(order, imageSchema)).id,
      find: async () => (await this.#named(name, signal)).find(({ status }) => status === 'queued')?.id,
    });
  }

  /** Checks by Glance's own sum that it has what was sent. */
  async #upload(id: string, file: string, signal: AbortSignal): Promise<string> {
    const { session, clock } = this.parts;
    let sum = createHash('sha512');
    const open = (): Transform => {
      sum = createHash('sha512');
      const count = new Transform({
        transform: (chunk: Buffer, _, done) => {
          sum.update(chunk);
          done(null, chunk);
        },
      });
      const source = createReadStream(file);
      source.once('error', (err) => count.destroy(err));
      count.once('close', () => source.destroy());
      return source.pipe(count);
    };
    const stream = { type: 'application/octet-stream', bytes: (await stat(file)).size, open };
    const put = { service: 'image', method: 'PUT', path: `/images/${id}/file`, stream, again: false, signal } as const;
    await session.call(put).catch((err: unknown) => {
      if (!isUncertain(err)) throw err;
      // An answer may have been lost: the image tells.
      return this.#get(id).then((image) => {
        if (image?.status !== 'active') throw err;
      });
    });
    const sent = sum.digest('hex');
    const image = await poll(
      async () => {
        const now = await this.#get(id);
        if (!now || /^(killed|deleted|pending_delete)$/.test(now.status)) {
          throw new UnikError('machine_failed', `image ${id} failed at Glance`);
        }
        return now.status === 'active' ? now : undefined;
      },
      { clock, signal, timeout_ms: ACTIVE_MS, interval_ms: 1_000, what: `image ${id}` },
    );
    if (image.os_hash_algo === 'sha512' && image.os_hash_value && image.os_hash_value !== sent) {
      throw new UnikError('machine_failed', `image ${id}: Glance has other bytes than were sent`);
    }
    return id;
  }

  async #get(id: string): Promise<Image | undefined> {
    try {
      return await this.parts.session.ask({ service: 'image', method: 'GET', path: `/images/${id}` }, imageSchema);
    } catch (err) {
      if (hasStatus(err, 404)) return undefined;
      throw err;
    }
  }

  /** False: somebody needs it. */
  async #delete(id: string): Promise<boolean> {
    try {
      await this.parts.session.call({ service: 'image', method: 'DELETE', path: `/images/${id}` });
      return true;
    } catch (err) {
      if (hasStatus(err, 409)) return false;
      if (hasStatus(err, 404)) return true;
      throw err;
    }
  }

  #named(name: string, signal: AbortSignal): Promise<Image[]> {
    return this.#list({ name }, signal);
  }

  async #list(query: Record<string, string>, signal?: AbortSignal): Promise<Image[]> {
    const found: Image[] = [];
    const first = `/images?${new URLSearchParams({ ...query, sort: 'created_at:asc' }).toString()}`;
    for (let path: string | undefined = first; path !== undefined;) {
      const page: z.output<typeof pageSchema> = await this.parts.session.ask(
        { service: 'image', method: 'GET', path, signal },
        pageSchema,
      );
      found.push(...page.images);
      path = page.next?.replace(/^.*?\/v2(?=\/images)/, '');
    }
    return found;
  }
}

/** Whole gigabytes that its machine's disk must have at least. */
export async function gigabytesOf(disk: RawDisk): Promise<number> {
  return Math.ceil((await stat(disk.path)).size / 2 ** 30);
}
