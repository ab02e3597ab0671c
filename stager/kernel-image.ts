import { readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { systemClock } from '../core/clock.js';
import { UnikError } from '../core/errors.js';
import { guestNamed } from '../executor/guests/index.js';
import { isMultiboot } from '../executor/guests/multiboot/header.js';
import { readSolo5 } from '../executor/guests/solo5/manifest.js';
import { DEFAULT_PORT } from '../executor/images/base.js';
import { kernelImage } from '../executor/images/compose.js';
import type { StoredImage } from '../executor/images/store.js';
import type { GuestName } from '../executor/model.js';
import { hostArch, type BuildOptions } from './build.js';
import { parseCommand } from './command.js';
import { parseProcfile } from './procfile.js';
import { folderSource } from './source.js';

/** What a MirageOS program is told where nothing else is said: the address of its machine. */
const MIRAGE_ARGUMENTS = ['--ipv4=@ADDRESS@', '--ipv4-gateway=@GATEWAY@'];

/**
 * An image for a guest whose program is a kernel. The source is that file, or a folder with one such file and maybe a
 * Procfile, whose line `web: KERNEL ARGUMENTS` says what it is told. Throws source_missing, program_missing,
 * arch_mismatch, command_needs_shell.
 */
export async function buildKernelImage(guest: GuestName, options: BuildOptions): Promise<StoredImage> {
  const { store, progress, clock = systemClock } = options;
  const { file, commands } = findKernel(guest, options.source);
  const words = commands ?? { web: [basename(file), ...usualArguments(guest, file)] };
  progress(`Kernel: ${basename(file)}, for the guest ${guest}`);
  const processes = Object.fromEntries(
    Object.entries(words).map(([type, argv]) => [
      type,
      { argv, cwd: '/', ...(argv.some((word) => word.includes('$')) ? { expand: true } : {}) },
    ]),
  );
  const image = await kernelImage(
    file,
    {
      ...{ guest, abi: guestNamed(guest).abi, arch: hostArch(), processes },
      ...{ env: { PORT: String(DEFAULT_PORT) }, ports: [DEFAULT_PORT], volumes: [], findings: [] },
      ...{ created: new Date(clock.now()).toISOString(), labels: options.labels ?? {} },
    },
    store,
  );
  for (const tag of options.tags ?? []) progress(`Named ${await store.tag(tag, image.digest)}`);
  progress(`Image ${image.digest.slice(0, 19)}, ${(image.root.bytes / 1000).toFixed(0)} kB`);
  return image;
}

function findKernel(guest: GuestName, source: string): { file: string; commands?: Record<string, string[]> } {
  const stats = statSync(source, { throwIfNoEntry: false });
  if (!stats) throw new UnikError('source_missing', `no file or folder ${source}`);
  if (stats.isFile()) return { file: checked(guest, source) };
  const folder = folderSource(source);
  const procfile = folder.read('Procfile');
  if (procfile !== undefined) {
    const lines = Object.entries(parseProcfile(procfile)).map(([type, line]): [string, string[]] => [
      type,
      parseCommand(line).words,
    ]);
    const program = lines[0]?.[1][0] ?? '';
    const file = join(source, program);
    if (dirname(file) !== join(source) && !file.startsWith(`${join(source)}/`)) {
      throw new UnikError('program_missing', `the Procfile names ${program}, which is outside the folder`);
    }
    return { file: checked(guest, file), commands: Object.fromEntries(lines) };
  }
  const found = folder
    .list('')
    .map((name) => join(source, name))
    .filter((path) => statSync(path).isFile() && problem(guest, path) === undefined);
  const [only, ...others] = found;
  if (only !== undefined && others.length === 0) return { file: only };
  const what = only === undefined ? 'no kernel' : `several kernels (${found.map((path) => basename(path)).join(', ')})`;
  throw new UnikError('program_missing', `${source} has ${what} for the guest ${guest}`);
}

function checked(guest: GuestName, path: string): string {
  const why = problem(guest, path);
  if (why === undefined) return path;
  throw new UnikError('program_missing', `${path} is no kernel for the guest ${guest}: ${why}`);
}

/** Why the file cannot boot as this guest; undefined: it can, as far as its headers tell. */
function problem(guest: GuestName, path: string): string | undefined {
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return 'there is no such file';
  const bytes = readFileSync(path);
  if (guest === 'solo5') {
    const manifest = readSolo5(bytes);
    if (!manifest) return 'it has no Solo5 manifest';
    if (manifest.target !== 'virtio') return `it is built for the target ${manifest.target}; build it with -t virtio`;
    const disks = manifest.devices.filter(({ kind }) => kind === 'block');
    if (disks.length > 0) return `it wants the disk ${disks[0]?.name ?? ''}, and machines of this guest have none`;
    if (manifest.devices.length > 1) return 'it wants several networks, and a machine has one';
  }
  return isMultiboot(bytes) ? undefined : 'it has no multiboot header';
}

function usualArguments(guest: GuestName, file: string): string[] {
  const hasNet =
    guest === 'solo5' && readSolo5(readFileSync(file))?.devices.some(({ kind }) => kind === 'net') === true;
  return hasNet ? MIRAGE_ARGUMENTS : [];
}
