import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UnikError } from '../../../core/errors.js';
import type { Arch, GuestName } from '../../model.js';
import type { KernelCatalogue, StoredKernel } from '../catalogue.js';
import { downloadBlob } from './blob.js';
import { credentialsFor } from './credentials.js';
import { get } from './http.js';
import { parseReference, type KernelReference } from './reference.js';
import { Registry } from './registry.js';
import { unpackLayer } from './unpack.js';

export interface PullOptions {
  ref: string;
  guest: GuestName;
  arch: Arch;
  /** What a file must be; for a registry it may stand in the reference. */
  digest?: string | undefined;
  /** A file in the form of Docker's config.json. */
  credentials: string;
  /** Folder for what is under way; kept between calls, so that a cut download goes on. */
  work: string;
  /** Where helpers are found. */
  path: string;
  catalogue: KernelCatalogue;
  signal?: AbortSignal | undefined;
}

/** No package of a kernel has a tenth of it. */
const MAX_BYTES = 512 * 1024 * 1024;
/** The monitor whose kernels we boot, as Unikraft's packages call it. */
const PLATFORM = 'qemu';

/** Fetches a prebuilt kernel and takes it into the catalogue. Throws bad_request, download_failed, kernel_invalid. */
export async function pullKernel(options: PullOptions): Promise<StoredKernel> {
  const ref = parseReference(options.ref, options.digest);
  await mkdir(options.work, { recursive: true, mode: 0o700 });
  return ref.kind === 'oci' ? pullPackage(ref, options) : pullFile(ref, options);
}

async function pullFile(
  { url, digest }: Extract<KernelReference, { kind: 'https' }>,
  options: PullOptions,
): Promise<StoredKernel> {
  const { guest, arch, work, catalogue, signal } = options;
  const file = join(work, digest.replace('sha256:', ''));
  const fetch = (from: number) => get(url, { headers: from > 0 ? { range: `bytes=${from}-` } : {}, signal });
  await downloadBlob(file, { digest, max_bytes: MAX_BYTES, what: url, fetch, signal });
  try {
    return await catalogue.importGuest(file, { guest, arch, origin: `${url}@${digest}` });
  } finally {
    await rm(file, { force: true });
  }
}

async function pullPackage(
  ref: Extract<KernelReference, { kind: 'oci' }>,
  options: PullOptions,
): Promise<StoredKernel> {
  const { guest, arch, work, catalogue, signal } = options;
  const registry = new Registry(ref, () => credentialsFor(ref.registry, options.credentials, options.path), signal);
  const { manifest, digest, platform } = await registry.manifest({ os: PLATFORM, architecture: arch });
  const total = manifest.layers.reduce((sum, { size }) => sum + size, 0);
  if (total > MAX_BYTES)
    throw new UnikError('download_failed', `${options.ref} has ${total} bytes, which is no kernel`);
  const dir = join(work, `${digest.replace('sha256:', '')}.d`);
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true, mode: 0o700 });
  try {
    for (const layer of manifest.layers) {
      const file = join(work, layer.digest.replace('sha256:', ''));
      await registry.blob(layer, file);
      try {
        await unpackLayer(file, { gzip: /[+.]gzip$/.test(layer.mediaType), dir, signal });
      } finally {
        await rm(file, { force: true });
      }
    }
    const settings = platform?.['os.features'] ?? [];
    if (settings.length > 0) await writeFile(join(dir, 'config'), `${settings.join('\n')}\n`);
    const version = platform?.['os.version'] ?? manifest.annotations?.['org.unikraft.kernel.version'];
    const origin = `${ref.registry}/${ref.repository}:${ref.tag}@${digest}`;
    return await catalogue.importGuest(dir, { guest, arch, origin, version: version === '' ? undefined : version });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
