import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { pack } from 'tar-stream';
import { UnikError } from '../core/errors.js';
import { STUB, writeDisk } from '../executor/disks/disk.js';
import type { DiskFormat } from '../executor/disks/format-names.js';
import { convertDisk } from '../executor/disks/formats.js';
import { guestNamed } from '../executor/guests/index.js';
import type { KernelSource } from '../executor/executor.js';
import type { Image } from '../executor/images/image.js';

const EXTENSIONS: Record<DiskFormat, string> = {
  ...{ raw: 'raw', qcow2: 'qcow2', 'vmdk-stream': 'vmdk', 'vmdk-flat': 'vmdk', vdi: 'vdi', vhd: 'vhd' },
};

export interface ExportOrder {
  image: Image & { dir: string };
  format: DiskFormat;
  kernels: KernelSource;
  /** For temporary files: gone once the content was read, or nobody reads it any more. */
  work: string;
  scratch_mb: number;
}

/** A disk of the image that boots by BIOS and UEFI and waits for a seed disk with the instance config. */
export async function exportDisk(
  { image, format, kernels, work, scratch_mb }: ExportOrder,
  signal: AbortSignal,
): Promise<{ filename: string; content: Readable }> {
  const kernel = await kernels.pick({ abi: image.abi, arch: image.arch, ...(image.pin ? { pin: image.pin } : {}) });
  const limits = { memory_mb: 0, disk_mb: scratch_mb, cpus: 2 };
  const boot = guestNamed(image.guest).plan(image, kernel, limits).disk;
  if (!boot) throw new UnikError('guest_unsupported', `guest ${image.guest} boots from no disk of its own`);
  await mkdir(work, { recursive: true });
  const folder = await mkdtemp(join(work, 'export-'));
  try {
    const raw = join(folder, 'disk.raw');
    const seed = `${image.digest} ${kernel.id}`;
    await writeDisk(
      { ...boot, cmdline: `${boot.cmdline} unik.config=seed`, scratch_mb, stub: STUB, seed },
      raw,
      signal,
    );
    const name = `${image.digest.slice('sha256:'.length).slice(0, 12)}.${EXTENSIONS[format]}`;
    const files = format === 'raw' ? [raw] : await convertDisk(raw, format, join(folder, name), signal);
    const [only = ''] = files;
    const content = files.length === 1 ? createReadStream(only) : await packed(files);
    const filename = files.length === 1 ? name : `${name}.tar`;
    finished(content)
      .catch(() => undefined)
      .finally(() => void rm(folder, { recursive: true, force: true }));
    return { filename, content };
  } catch (err) {
    await rm(folder, { recursive: true, force: true });
    throw err;
  }
}

async function packed(files: readonly string[]): Promise<Readable> {
  const tar = pack();
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
  const fill = async (): Promise<void> => {
    for (const [index, file] of files.entries()) {
      const entry = tar.entry({ name: basename(file), size: sizes[index] ?? 0 });
      await finished(createReadStream(file).pipe(entry));
    }
    tar.finalize();
  };
  fill().catch((err: unknown) => tar.destroy(err instanceof Error ? err : new Error(String(err))));
  return Readable.from(tar);
}
