import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { Apps } from '../../backend/api/instances/apps.js';
import type { OrderDefaults } from '../../backend/api/instances/order.js';
import { openAppRecords } from '../../backend/api/instances/record.js';
import type { Images, Parts, StoredImage } from '../../backend/api/parts.js';
import { systemClock } from '../../core/clock.js';
import { UnikError } from '../../core/errors.js';
import { noLog } from '../../core/log.js';
import { MemoryExecutor } from './memory-executor.js';

export const DIGEST = `sha256:${'ab'.repeat(32)}`;

export function anImage(change: Partial<StoredImage> = {}): StoredImage {
  return {
    schema: 1,
    digest: DIGEST,
    guest: 'linux',
    abi: 'linux-virtio-1',
    arch: 'x86_64',
    root: { format: 'erofs', file: 'root.erofs', digest: DIGEST, bytes: 4096 },
    processes: { web: { argv: ['/bin/web'], cwd: '/home/vcap/app' } },
    env: { HOME: '/home/vcap/app', SECRET_DEFAULT: 'hush' },
    ports: [8080],
    volumes: [],
    created: '2026-11-23T00:00:00.000Z',
    labels: {},
    findings: [],
    dir: '/nowhere',
    ...change,
  };
}

export const DEFAULTS: OrderDefaults = {
  provider: 'fake',
  memory_mb: 256,
  disk_mb: 1024,
  network: 'isolated',
  dns: [],
  deny: [],
  emulated: false,
};

/** One image under the name `hello:latest`. */
export function oneImage(image = anImage()): Images {
  const names = new Set(['hello:latest']);
  const find = (ref: string): StoredImage => {
    const full = ref.includes(':') ? ref : `${ref}:latest`;
    if (names.has(full) || image.digest.startsWith(ref) || image.digest === ref) return image;
    throw new UnikError('image_missing', `no image ${ref}`);
  };
  return {
    list: async () => [{ ...image, names: [...names] }],
    get: async (ref) => find(ref),
    names: async () => [...names],
    tag: async (name) => {
      const full = name.includes(':') ? name : `${name}:latest`;
      names.add(full);
      return full;
    },
    remove: async (ref, { force, inUse }) => {
      find(ref);
      if (force !== true && inUse?.(image.digest) === true) throw new UnikError('image_in_use', `image ${ref} is used`);
      return { untagged: [...names], deleted: image.digest };
    },
    verify: async () => undefined,
    sweep: async () => 0,
  };
}

/** The parts of an API over a MemoryExecutor, in a home of their own. */
export async function memoryParts(change: Partial<Parts> = {}): Promise<{
  parts: Parts;
  executor: MemoryExecutor;
  home: string;
  cleanup: () => Promise<void>;
}> {
  const home = await mkdtemp(join(tmpdir(), 'unik-api-'));
  const executor = new MemoryExecutor();
  const images = change.images ?? oneImage();
  const records = openAppRecords(join(home, 'apps'), noLog);
  const deps = { executor, records, images, defaults: async () => DEFAULTS, clock: systemClock, log: noLog };
  const parts: Parts = {
    home,
    stack: 'unik',
    version: '0.0.0-test',
    started_at: 1,
    provider: 'fake',
    probe: async () => ({ healthy: true, summary: 'fine', findings: [], accelerator: 'none' }),
    accelerator: () => 'none',
    prepare: async () => undefined,
    close: async () => undefined,
    providers: new Map(),
    guests: new Map(),
    pairings: () => ['fake'],
    executor,
    apps: new Apps(deps),
    images,
    kernels: {
      list: async () => [],
      get: async (id) => {
        throw new UnikError('kernel_missing', `no kernel ${id}`);
      },
      import: async ({ path }) => {
        throw new UnikError('kernel_invalid', `${path} holds no kernel`);
      },
      pull: async ({ ref }) => {
        throw new UnikError('download_failed', `${ref} is not there`);
      },
      verify: async (id) => {
        throw new UnikError('kernel_missing', `no kernel ${id}`);
      },
      remove: async (id) => {
        throw new UnikError('kernel_missing', `no kernel ${id}`);
      },
    },
    build: async ({ progress }) => {
      progress('built');
      return anImage();
    },
    droplet: async () => Readable.from(['droplet']),
    disk: async (_image, format) => ({ filename: `disk.${format}`, content: Readable.from(['disk']) }),
    doctor: async () => ({
      ok: true,
      accelerator: 'tcg',
      findings: [{ name: 'accelerator', status: 'warning', detail: 'tcg' }],
    }),
    sweep: async () => 0,
    exit: () => undefined,
    clock: systemClock,
    log: noLog,
    ...change,
  };
  await parts.apps.recover();
  return {
    parts,
    executor,
    home,
    cleanup: async () => {
      await parts.apps.close();
      await rm(home, { recursive: true, force: true });
    },
  };
}
