import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { UnikError } from '../../core/errors.js';
import { run } from '../../core/process.js';
import type { DiskFormat } from './format-names.js';

/** What `qemu-img` calls them. */
const QEMU_IMG = {
  raw: ['raw'],
  qcow2: ['qcow2', 'compat=1.1'],
  /** Compressed, for transport: OVF import. */
  'vmdk-stream': ['vmdk', 'subformat=streamOptimized'],
  /** A text file that describes a raw one beside it, `NAME-flat.vmdk`. */
  'vmdk-flat': ['vmdk', 'subformat=monolithicFlat'],
  vdi: ['vdi'],
  /** Fixed size, as Azure wants it. */
  vhd: ['vpc', 'subformat=fixed,force_size=on'],
} as const satisfies Record<DiskFormat, readonly string[]>;

/** Writes `target` in another format; sparse where the format can. Gives all files it made. */
export async function convertDisk(
  raw: string,
  format: DiskFormat,
  target: string,
  signal?: AbortSignal,
): Promise<string[]> {
  const [name, options]: readonly [string, string?] = QEMU_IMG[format];
  const how = options === undefined ? [] : ['-o', options];
  const flat = flatName(target);
  // A flat extent is named by the name of its description, so that cannot be renamed afterwards.
  const temp = format === 'vmdk-flat' ? target : `${target}.${process.pid}.tmp`;
  try {
    await run('qemu-img', ['convert', '-f', 'raw', '-O', name, ...how, raw, temp], {
      ...{ timeout_ms: 10 * 60_000, signal, code: 'machine_failed' },
    });
    if (temp !== target) await rename(temp, target);
  } catch (err) {
    for (const file of [temp, ...(format === 'vmdk-flat' ? [flat] : [])]) await rm(file, { force: true });
    throw err;
  }
  return format === 'vmdk-flat' ? [target, flat] : [target];
}

function flatName(target: string): string {
  return join(dirname(target), `${basename(target).replace(/\.vmdk$/, '')}-flat.vmdk`);
}

/**
 * The description of a flat disk as ESXi's datastore browser wants it: `vmfs` instead of `monolithicFlat`, the adapter
 * of the controller it will hang on.
 */
export async function describeForEsxi(file: string, adapter: 'lsilogic' | 'ide'): Promise<void> {
  const text = await readFile(file, 'utf8');
  if (!text.includes('createType="monolithicFlat"')) {
    throw new UnikError('machine_failed', `${file} describes no flat disk`);
  }
  const changed = text
    .replace('createType="monolithicFlat"', 'createType="vmfs"')
    .replace(/^(RW \d+) FLAT ("[^"]+") 0$/m, '$1 VMFS $2')
    .replace(/^ddb\.adapterType = .*$/m, `ddb.adapterType = "${adapter}"`)
    .replace(/^ddb\.virtualHWVersion = .*$/m, 'ddb.virtualHWVersion = "13"');
  await writeFile(file, changed);
}
