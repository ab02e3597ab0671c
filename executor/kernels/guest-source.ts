import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { hasCode, UnikError } from '../../core/errors.js';
import { guestNamed } from '../guests/index.js';
import { isMultiboot } from '../guests/multiboot/header.js';
import { diskHead } from '../guests/nanos/head.js';
import type { Arch, GuestName } from '../model.js';
import type { KernelEntry } from './kernel.js';

export interface KernelOrigin {
  guest: GuestName;
  arch: Arch;
  /** Where it came from, for people. */
  origin?: string | undefined;
  /** Default: what the kernel says of itself. */
  version?: string | undefined;
}

export interface GuestKernel {
  facts: Pick<KernelEntry, 'guest' | 'abi' | 'version' | 'arch' | 'overhead_mb' | 'boot' | 'drivers' | 'origin'>;
  files: KernelEntry['files'];
  contents: Map<string, Uint8Array>;
}

/** No kernel that we know has a hundredth of it. */
const MAX_BYTES = 256 * 1024 * 1024;

type Reader = (
  files: ReadonlyMap<string, Buffer>,
  scratch: string,
) => Promise<Pick<GuestKernel, 'files' | 'contents'> & Kind>;
interface Kind {
  boot: NonNullable<KernelEntry['boot']>;
  overhead_mb: number;
  /** Where the version may stand in the kernel. */
  version: RegExp;
}

/** Memory beside the application's: measured with the smallest machine that answered, rounded up. */
const READERS: Partial<Record<GuestName, Reader>> = {
  unikraft: async (files) => {
    const kernel = only(files, 'a kernel', (name, bytes) => isMultiboot(bytes) && !/\.dbg$/.test(name));
    const settings = files.get('config') ?? files.get('.config');
    return {
      ...{ boot: 'multiboot', overhead_mb: 16, version: /\b\d+\.\d+\.\d+~[0-9a-f]{7,}/ },
      files: { kernel: 'kernel', ...(settings ? { settings: 'settings' } : {}) },
      contents: new Map([['kernel', kernel], ...(settings ? [['settings', settings] as const] : [])]),
    };
  },
  nanos: async (files, scratch) => {
    const kernel = only(files, 'a kernel (an ELF file)', (_name, bytes) => isElf64(bytes));
    const blob = only(
      files,
      'its boot blob (boot.img)',
      (_name, bytes) => !isElf64(bytes) && bytes.length > 512 && bytes.readUInt16LE(510) === 0xaa55,
    );
    return {
      ...{ boot: 'bios', overhead_mb: 96, version: /\b0\.1\.\d+\b/ },
      files: { kernel: 'kernel', head: 'head' },
      contents: new Map([
        ['kernel', kernel],
        ['head', await diskHead(blob, kernel, scratch)],
      ]),
    };
  },
  osv: async (files) => ({
    ...{ boot: 'pvh', overhead_mb: 64, version: /\bv0\.\d+\.\d+(?:-\d+-g[0-9a-f]+)?/ },
    files: { kernel: 'kernel' },
    contents: new Map([
      ['kernel', only(files, 'a kernel (an ELF file)', (name, bytes) => isElf64(bytes) && !/\.so(\.|$)/.test(name))],
    ]),
  }),
};

/** Reads a kernel file, or a folder with one and what belongs to it. Throws kernel_invalid, source_missing. */
export async function readGuestKernel(
  path: string,
  { guest, arch, origin, version }: KernelOrigin,
  scratch: string,
): Promise<GuestKernel> {
  const { capabilities, abi, ownKernel } = guestNamed(guest);
  const reader = READERS[guest];
  if (!reader) {
    throw invalid(
      ownKernel
        ? `a kernel for the guest ${guest} is an image of its own: \`unik build ${basename(path)} --guest ${guest}\``
        : `the kernel for the guest ${guest} comes as an unpacked package: leave out --guest`,
    );
  }
  if (arch !== 'x86_64') throw invalid(`kernels for ${arch} cannot be imported by this version`);
  const files = await readFiles(path);
  const { boot, overhead_mb, version: pattern, ...rest } = await reader(files, scratch);
  const kernel = Buffer.from(rest.contents.get('kernel') ?? []);
  const found = version ?? pattern.exec(kernel.toString('latin1'))?.[0] ?? '0';
  if (!/^[A-Za-z0-9][A-Za-z0-9.~+_-]{0,63}$/.test(found))
    throw invalid(`the version ${JSON.stringify(found)} is no name`);
  const drivers = [...capabilities.devices.network, ...capabilities.devices.disk];
  const facts = { guest, abi, version: found, arch, overhead_mb, boot, drivers, origin: origin ?? basename(path) };
  return { facts, ...rest };
}

async function readFiles(path: string): Promise<Map<string, Buffer>> {
  const stats = await stat(path).catch((err: unknown) => {
    if (hasCode(err, 'ENOENT')) throw new UnikError('source_missing', `no file or folder ${path}`);
    throw err;
  });
  const dir = stats.isDirectory();
  const names = dir ? (await readdir(path)).sort() : [basename(path)];
  const files = new Map<string, Buffer>();
  for (const name of names) {
    const file = dir ? join(path, name) : path;
    const { size, isFile } = await stat(file).then((found) => ({ size: found.size, isFile: found.isFile() }));
    if (!isFile) continue;
    if (size > MAX_BYTES) throw invalid(`${file} has ${size} bytes, which is no kernel`);
    files.set(name, await readFile(file));
  }
  return files;
}

function only(files: ReadonlyMap<string, Buffer>, what: string, is: (name: string, bytes: Buffer) => boolean): Buffer {
  const found = [...files].filter(([name, bytes]) => is(name, bytes));
  const [first, second] = found;
  if (!first) throw invalid(`${what} is missing; there are: ${[...files.keys()].join(', ') || 'no files'}`);
  if (second) throw invalid(`${what} is there more than once: ${found.map(([name]) => name).join(', ')}`);
  return first[1];
}

function isElf64(bytes: Buffer): boolean {
  return bytes.length >= 64 && bytes.readUInt32BE(0) === 0x7f454c46 && bytes[4] === 2 && bytes.readUInt16LE(18) === 62;
}

function invalid(message: string): UnikError {
  return new UnikError('kernel_invalid', message);
}
