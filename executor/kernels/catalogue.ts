import { createHash, randomBytes } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Clock } from '../../core/clock.js';
import { hasCode, messageOf, UnikError } from '../../core/errors.js';
import { readJsonFile, writeJsonFile } from '../../core/json-file.js';
import type { Log } from '../../core/log.js';
import type { KernelSource } from '../executor.js';
import { LINUX_ABI, LINUX_OVERHEAD_MB } from '../guests/linux/index.js';
import { linuxInitramfs } from '../guests/linux/initramfs.js';
import type { Arch } from '../model.js';
import { readGuestKernel, type KernelOrigin } from './guest-source.js';
import { kernelEntrySchema, kernelLimitsSchema, type KernelEntry, type KernelLimits } from './kernel.js';
import { readLinuxSource } from './linux-source.js';
import { compareVersions } from './version.js';
import { unpackKernel } from './vmlinux.js';

export type StoredKernel = KernelEntry & { dir: string; limits?: KernelLimits };

export interface CatalogueOptions {
  /** `<home>/kernels`; made when missing. */
  dir: string;
  clock: Clock;
  log: Log;
}

type EntryFacts = Pick<
  KernelEntry,
  'guest' | 'abi' | 'version' | 'arch' | 'overhead_mb' | 'boot' | 'drivers' | 'origin'
>;

const LIMITS = 'limits.json';

/**
 * The kernels of this cell (design D7): one folder each, named by id, holding `kernel.json` and read-only files. An
 * entry appears by a rename and is never changed, so readers need no lock.
 */
export class KernelCatalogue implements KernelSource {
  constructor(private readonly options: CatalogueOptions) {}

  /** Newest first. A folder that is no entry is left out and logged. */
  async list(): Promise<StoredKernel[]> {
    const names = (await this.#names()).filter((name) => !name.startsWith('.'));
    const entries = await Promise.all(names.map((name) => this.#read(name)));
    return entries.filter((entry) => entry !== undefined).sort(newestFirst);
  }

  /** Throws kernel_missing naming what was wanted. */
  async pick(want: { abi: string; arch: Arch; id?: string; pin?: string }): Promise<StoredKernel> {
    const fitting = (await this.list()).filter((entry) => entry.abi === want.abi && entry.arch === want.arch);
    const found = fitting.find(
      (entry) =>
        (want.id === undefined || entry.id === want.id) && (want.pin === undefined || entry.digest === want.pin),
    );
    if (found) return found;
    const which = want.id ?? want.pin;
    throw new UnikError(
      'kernel_missing',
      `no kernel ${which === undefined ? '' : `${which} `}with abi ${want.abi} for ${want.arch} in the catalogue: ` +
        `import one, \`unik kernel import FILE --guest ${want.abi.split('-')[0] ?? ''} --arch ${want.arch}\``,
    );
  }

  /** Throws kernel_missing. */
  get(id: string): Promise<StoredKernel> {
    return this.#get(id);
  }

  /**
   * Makes an entry of a prebuilt kernel: a file, or a folder with what its guest needs beside. The same input again gives
   * the entry there is. Throws kernel_invalid, source_missing, disk_full.
   */
  async importGuest(path: string, origin: KernelOrigin): Promise<StoredKernel> {
    await mkdir(this.options.dir, { recursive: true });
    const scratch = join(this.options.dir, `.tmp-${randomBytes(6).toString('hex')}`);
    const { facts, files, contents } = await readGuestKernel(path, origin, scratch);
    return this.#add(facts, files, contents);
  }

  /** Keeps what booting the kernel has shown; in the place of what was known before. */
  async noteLimits(id: string, limits: KernelLimits): Promise<StoredKernel> {
    const entry = await this.#get(id);
    await writeJsonFile(join(entry.dir, LIMITS), limits, 0o444);
    return { ...entry, limits };
  }

  /**
   * Makes an entry of an unpacked distribution kernel package and our compiled init (a path). The same input again
   * gives the entry there is. Throws kernel_invalid, disk_full.
   */
  async importLinux(dir: string, init: string | ((arch: Arch) => string)): Promise<StoredKernel> {
    const source = await readLinuxSource(dir);
    // An arm64 kernel is not packed.
    const unpacked = source.arch === 'x86_64' ? unpackKernel(source.image) : undefined;
    const kernel = unpacked ? 'vmlinux' : 'vmlinuz';
    const program = await readInit(typeof init === 'string' ? init : init(source.arch), source.arch);
    // What boards fetch block by block is worth packing.
    const elsewhere = source.arch === 'x86_64' ? 'vmlinuz' : 'vmlinuz.gz';
    const files = new Map<string, Uint8Array>([
      [kernel, unpacked ?? source.image],
      ['initrd', linuxInitramfs(program, source.modules)],
      [elsewhere, source.arch === 'x86_64' ? source.image : gzipSync(source.image)],
      ['initrd-disk', gzipSync(linuxInitramfs(program, source.diskModules))],
    ]);
    const facts: EntryFacts = {
      guest: 'linux',
      abi: LINUX_ABI,
      version: source.version,
      arch: source.arch,
      overhead_mb: LINUX_OVERHEAD_MB[source.arch === 'x86_64' ? kernel : 'arm64'],
    };
    const disk = { disk_kernel: elsewhere, disk_initrd: 'initrd-disk' };
    return this.#add(facts, { kernel, initrd: 'initrd', ...disk }, files);
  }

  /** Throws kernel_missing; kernel_in_use when `inUse`. */
  async remove(id: string, inUse: boolean): Promise<void> {
    const entry = await this.#get(id);
    if (inUse) throw new UnikError('kernel_in_use', `kernel ${id} is in use by an instance`);
    // Out of the list first, so that a crash in between leaves no half entry.
    const doomed = join(this.options.dir, `.tmp-${randomBytes(6).toString('hex')}`);
    await rename(entry.dir, doomed);
    await rm(doomed, { recursive: true, force: true });
  }

  /** Reads every file again. Throws kernel_missing, or kernel_invalid when a file has changed or is gone. */
  async verify(id: string): Promise<StoredKernel> {
    const entry = await this.#get(id);
    const names = new Set(Object.values(entry.files).filter((name) => name !== undefined));
    const files = new Map<string, Uint8Array>();
    for (const name of names) {
      try {
        files.set(name, await readFile(join(entry.dir, name)));
      } catch (err) {
        throw new UnikError('kernel_invalid', `kernel ${id}: ${messageOf(err)}`, { cause: err });
      }
    }
    if (digestOf(files) === entry.digest) return entry;
    throw new UnikError('kernel_invalid', `kernel ${id}: its files are not those that were imported`);
  }

  /** Removes what an interrupted import or removal has left. Call at start, before anything is imported. */
  async sweep(): Promise<void> {
    for (const name of await this.#names()) {
      if (name.startsWith('.tmp-')) await rm(join(this.options.dir, name), { recursive: true, force: true });
    }
  }

  async #add(
    facts: EntryFacts,
    files: KernelEntry['files'],
    contents: ReadonlyMap<string, Uint8Array>,
  ): Promise<StoredKernel> {
    const digest = digestOf(contents);
    const id = `${facts.guest}-${facts.version}-${digest.slice('sha256:'.length, 'sha256:'.length + 12)}`;
    const dir = join(this.options.dir, id);
    const known = await this.#read(id, { quiet: true });
    if (known) return known;
    const imported = new Date(this.options.clock.now()).toISOString();
    const entry: KernelEntry = { schema: 1, id, ...facts, digest, files, imported };
    const temp = join(this.options.dir, `.tmp-${randomBytes(6).toString('hex')}`);
    try {
      await mkdir(temp, { recursive: true, mode: 0o755 });
      for (const [name, bytes] of contents) await writeReadOnly(join(temp, name), bytes);
      await writeReadOnly(join(temp, 'kernel.json'), `${JSON.stringify(entry, null, 2)}\n`);
      await rename(temp, dir);
    } catch (err) {
      await rm(temp, { recursive: true, force: true });
      // Somebody imported the same at the same time.
      if (hasCode(err, 'ENOTEMPTY') || hasCode(err, 'EEXIST')) return this.#get(id);
      throw err;
    }
    this.options.log.info({ kernel: id }, 'kernel.imported');
    return { ...entry, dir };
  }

  async #get(id: string): Promise<StoredKernel> {
    const entry = isPlainName(id) ? await this.#read(id, { quiet: true }) : undefined;
    if (entry) return entry;
    throw new UnikError('kernel_missing', `no kernel ${id} in the catalogue`);
  }

  async #read(name: string, { quiet = false } = {}): Promise<StoredKernel | undefined> {
    const dir = join(this.options.dir, name);
    const parsed = kernelEntrySchema.safeParse(await readJsonFile(join(dir, 'kernel.json')).catch(() => undefined));
    if (parsed.success && parsed.data.id === name) {
      const limits = kernelLimitsSchema.safeParse(await readJsonFile(join(dir, LIMITS)).catch(() => undefined));
      return { ...parsed.data, dir, ...(limits.success ? { limits: limits.data } : {}) };
    }
    if (!quiet) this.options.log.warn({ dir }, 'kernel.unreadable');
    return undefined;
  }

  async #names(): Promise<string[]> {
    try {
      return await readdir(this.options.dir);
    } catch (err) {
      if (hasCode(err, 'ENOENT')) return [];
      throw err;
    }
  }
}

function newestFirst(a: KernelEntry, b: KernelEntry): number {
  return compareVersions(b.version, a.version) || Date.parse(b.imported) - Date.parse(a.imported);
}

/** sha256 over each file's name and own sha256, in the order of names. */
function digestOf(files: ReadonlyMap<string, Uint8Array>): string {
  const whole = createHash('sha256');
  for (const [name, bytes] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    whole.update(`${name} ${createHash('sha256').update(bytes).digest('hex')}\n`);
  }
  return `sha256:${whole.digest('hex')}`;
}

/** Machine folders hold hard links to these files, which processes of other users read. */
async function writeReadOnly(path: string, content: string | Uint8Array): Promise<void> {
  await writeFile(path, content, { flag: 'wx', flush: true });
  await chmod(path, 0o444);
}

/** ELF's number of the processor that a kernel is not for. */
const OTHER_MACHINE: Record<Arch, number> = { x86_64: 183, aarch64: 62 };

async function readInit(path: string, arch: Arch): Promise<Buffer> {
  const bytes = await readFile(path).catch((err: unknown) => {
    throw new UnikError('kernel_invalid', `our init cannot be read: ${messageOf(err)}`, { cause: err });
  });
  if (!bytes.subarray(0, 4).equals(Buffer.from('\x7fELF'))) {
    throw new UnikError('kernel_invalid', `our init ${path} is no ELF program`);
  }
  // The machine stands in the header.
  if (bytes.length < 20 || bytes.readUInt16LE(18) !== OTHER_MACHINE[arch]) return bytes;
  throw new UnikError('arch_mismatch', `our init ${path} is not for ${arch}, as the kernel is`);
}

function isPlainName(id: string): boolean {
  return id !== '' && !id.startsWith('.') && !id.includes('/');
}
