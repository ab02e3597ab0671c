import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { homePaths } from '../../core/home.js';
import { digestImage } from '../../executor/images/digest.js';
import type { Image } from '../../executor/images/image.js';
import { ImageStore } from '../../executor/images/store.js';

/** A home with one image, `hello`, and kernels that the fake provider "boots". */
export async function makeHome(config: Record<string, unknown> = {}): Promise<{ home: string; digest: string }> {
  const home = await mkdtemp(join(tmpdir(), 'unik-cli-'));
  const paths = homePaths(home);
  await writeFile(paths.config, JSON.stringify({ provider: 'fake', ...config }));
  for (const version of ['1.0', '2.0']) await addKernel(paths.kernels, version);
  return { home, digest: await addImage(paths.images) };
}

export const KERNELS = ['linux-1.0-000000000000', 'linux-2.0-000000000000'] as const;

export async function addKernel(kernels: string, version: string): Promise<void> {
  const id = `linux-${version}-000000000000`;
  const dir = join(kernels, id);
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, 'vmlinux'), 'no kernel');
  const entry = {
    schema: 1,
    id,
    guest: 'linux',
    abi: 'linux-virtio-1',
    version,
    arch: 'x86_64',
    digest: `sha256:${'0'.repeat(64)}`,
    files: { kernel: 'vmlinux' },
    overhead_mb: 10,
    imported: '2026-11-23T00:00:00.000Z',
  };
  await writeFile(join(dir, 'kernel.json'), JSON.stringify(entry));
}

async function addImage(dir: string): Promise<string> {
  const store = new ImageStore(dir);
  const content = 'no file system';
  const image: Omit<Image, 'digest'> = {
    schema: 1,
    guest: 'linux',
    abi: 'linux-virtio-1',
    arch: 'x86_64',
    root: {
      format: 'erofs',
      file: 'root.erofs',
      digest: `sha256:${createHash('sha256').update(content).digest('hex')}`,
      bytes: content.length,
    },
    processes: { web: { argv: ['/bin/web'], cwd: '/' } },
    env: { SECRET_DEFAULT: 'hush' },
    ports: [8080],
    volumes: [],
    created: '2026-11-23T00:00:00.000Z',
    labels: {},
    findings: [],
  };
  const digest = digestImage(image);
  await store.prepare(async (prepared) => {
    await writeFile(join(prepared, 'root.erofs'), content);
    await store.add(prepared, { ...image, digest });
  });
  await store.tag('hello', digest);
  return digest;
}

export const removeHome = (home: string): Promise<void> => rm(home, { recursive: true, force: true });
