import { readFileSync, statSync } from 'node:fs';
import { basename, join, posix } from 'node:path';
import { systemClock } from '../core/clock.js';
import { UnikError } from '../core/errors.js';
import { guestNamed } from '../executor/guests/index.js';
import { isMultiboot } from '../executor/guests/multiboot/header.js';
import { solo5Abi } from '../executor/guests/solo5/index.js';
import { readSolo5, type Solo5Manifest } from '../executor/guests/solo5/manifest.js';
import { DEFAULT_PORT } from '../executor/images/base.js';
import { commandText } from '../executor/images/command-text.js';
import { kernelImage } from '../executor/images/compose.js';
import { isElfMagic, readElf } from '../executor/images/elf.js';
import type { StoredImage } from '../executor/images/store.js';
import type { GuestName } from '../executor/model.js';
import { hostArch } from './arch.js';
import { commandLabels, type BuildOptions } from './build.js';
import { parseCommand } from './command.js';
import { parseProcfile } from './procfile.js';
import { folderSource, type SourceTree } from './source.js';
import { findingLine, judge, refusalOf } from './suitability/judge.js';
import { TOOLCHAINS } from './toolchains/index.js';

/** What a MirageOS program is told where nothing else is said: the address of its machine. */
const MIRAGE_ARGUMENTS = ['--ipv4=@ADDRESS@', '--ipv4-gateway=@GATEWAY@'];

/**
 * An image for a guest whose program is a kernel. The source is that file, or a folder with one such file and maybe a
 * Procfile, whose line `web: KERNEL ARGUMENTS` says what it is told. Throws source_missing, program_missing,
 * arch_mismatch, command_needs_shell, and what the suitability check refuses.
 */
export async function buildKernelImage(guest: GuestName, options: BuildOptions): Promise<StoredImage> {
  const { store, progress, clock = systemClock, cloudFoundry = false } = options;
  const { file, commands } = findKernel(guest, options.source);
  const manifest = guest === 'solo5' ? readSolo5(readFileSync(file)) : undefined;
  const lines = commands ?? { web: commandText({ argv: [basename(file), ...usualArguments(manifest)], cwd: '/' }) };
  progress(`Application: kernel, by what is in ${basename(file)}`);
  const runsOn = manifest && needsTender(manifest) ? `, which solo5-${manifest.target} runs` : '';
  progress(`Guest ${guest}: the application is a kernel of its own${runsOn}`);
  const processes = Object.fromEntries(Object.entries(lines).map(([type, line]) => [type, processOf(line)]));
  for (const [type, { argv }] of Object.entries(processes)) progress(`Process ${type}: ${argv.join(' ')}`);
  const findings = judge({
    ...{ guest, commands: lines, processes, programs: [], setuid: [], packages: [], hasShell: false },
    needsWeb: cloudFoundry,
  });
  for (const finding of findings) progress(findingLine(finding));
  const refusal = refusalOf(findings);
  if (refusal) throw refusal;
  const image = await kernelImage(
    file,
    {
      ...{ guest, abi: manifest ? solo5Abi(manifest) : guestNamed(guest).abi, arch: options.arch ?? hostArch() },
      ...{ processes, env: { PORT: String(DEFAULT_PORT) }, volumes: [], findings },
      // Only Solo5's programs say what they have.
      ports: !manifest || networksOf(manifest).length > 0 ? [DEFAULT_PORT] : [],
      ...(manifest && needsTender(manifest) ? { networks: networksOf(manifest) } : {}),
      ...{ created: new Date(clock.now()).toISOString(), labels: { ...commandLabels(lines), ...options.labels } },
    },
    store,
  );
  for (const tag of options.tags ?? []) progress(`Named ${await store.tag(tag, image.digest)}`);
  progress(`Image ${image.digest.slice(0, 19)}, ${(image.root.bytes / 1000).toFixed(0)} kB`);
  return image;
}

function processOf(line: string): StoredImage['processes'][string] {
  const { words, expand } = parseCommand(line);
  return { argv: words, cwd: '/', ...(expand ? { expand } : {}) };
}

/**
 * The guest of an application that is a kernel, where nobody asked for one: the Procfile's `web` names it, or it is the
 * only one at the top of a folder without the marks of a language. Undefined: it is an application of another kind.
 */
export function readyKernel({ source, guest }: Pick<BuildOptions, 'source' | 'guest'>): GuestName | undefined {
  if (guest?.asked === true || statSync(source, { throwIfNoEntry: false })?.isDirectory() !== true) return undefined;
  const folder = folderSource(source);
  const procfile = folder.read('Procfile');
  const guestOf = (name: string): GuestName | undefined => guestByMarks(folder, source, name);
  const names = procfile === undefined ? filesAtTop(folder) : [namedBy(parseProcfile(procfile)['web'] ?? '')];
  const found = names.flatMap((name) => (name === undefined ? [] : (guestOf(name) ?? [])));
  return found.length === 1 ? found[0] : undefined;
}

/** A multiboot header is in here. */
const HEAD = 8_192;
/** What a program linked to Solo5 names as its loader, so that nobody starts it by mistake. */
const NO_LOADER = '/nonexistent/solo5/';

/** Whose kernel it says it is; undefined: it is none. */
function guestByMarks(folder: SourceTree, source: string, name: string): GuestName | undefined {
  const head = folder.head(name, HEAD);
  const path = join(source, name);
  if (isMultiboot(head)) return problem('solo5', path) === undefined ? 'solo5' : 'multiboot';
  return isElfMagic(head) && readElf(path)?.interpreter === NO_LOADER ? 'solo5' : undefined;
}

function filesAtTop(folder: SourceTree): readonly string[] {
  // Beside the marks of a language it is one of that application's files.
  const marked = TOOLCHAINS.some((one) => one.name !== 'binary' && one.detect(folder) !== undefined);
  return marked ? [] : folder.list('');
}

/** The file that a command starts with. What only a shell understands names none. */
function namedBy(line: string): string | undefined {
  try {
    const inside = posix.normalize(parseCommand(line).words[0] ?? '');
    return inside.startsWith('..') || posix.isAbsolute(inside) ? undefined : inside;
  } catch (err) {
    if (err instanceof UnikError && /^command_(needs_shell|missing)$/.test(err.code)) return undefined;
    throw err;
  }
}

function findKernel(guest: GuestName, source: string): { file: string; commands?: Record<string, string> } {
  const stats = statSync(source, { throwIfNoEntry: false });
  if (!stats) throw new UnikError('source_missing', `no file or folder ${source}`);
  if (stats.isFile()) return { file: checked(guest, source) };
  const folder = folderSource(source);
  const procfile = folder.read('Procfile');
  if (procfile !== undefined) {
    const commands = parseProcfile(procfile);
    const program = parseCommand(commands['web'] ?? Object.values(commands)[0] ?? '').words[0] ?? '';
    const file = join(source, program);
    if (!file.startsWith(`${join(source)}/`)) {
      throw new UnikError('program_missing', `the Procfile names ${program}, which is outside the folder`);
    }
    return { file: checked(guest, file), commands };
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
    const { target, devices } = manifest;
    if (!TARGETS.includes(target))
      return `it is built for the target ${target}; build it with -t ${TARGETS.join(', ')}`;
    const disk = devices.find(({ kind }) => kind === 'block');
    if (disk) return `it wants the disk ${disk.name}, and machines of this guest have none`;
    if (devices.length > 1) return 'it wants several networks, and a machine has one';
    if (needsTender(manifest)) return undefined;
  }
  return isMultiboot(bytes) ? undefined : 'it has no multiboot header';
}

/** What a Solo5 program may be built for. */
const TARGETS: readonly string[] = ['virtio', 'spt', 'hvt'];

const needsTender = ({ target }: Solo5Manifest): boolean => target !== 'virtio';

const networksOf = ({ devices }: Solo5Manifest): string[] =>
  devices.flatMap(({ kind, name }) => (kind === 'net' ? [name] : []));

function usualArguments(manifest: Solo5Manifest | undefined): string[] {
  return manifest && networksOf(manifest).length > 0 ? MIRAGE_ARGUMENTS : [];
}
