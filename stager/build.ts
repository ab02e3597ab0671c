import { randomBytes } from 'node:crypto';
import { accessSync, constants, statSync } from 'node:fs';
import { cp, mkdir, rm, stat } from 'node:fs/promises';
import { delimiter, isAbsolute, join, relative, resolve } from 'node:path';
import { systemClock, type Clock } from '../core/clock.js';
import { hasCode, messageOf, toUnikError, UnikError } from '../core/errors.js';
import { run } from '../core/process.js';
import { addBase, APP_DIR, BASE_ENV, DEFAULT_PORT } from '../executor/images/base.js';
import { composeImage } from '../executor/images/compose.js';
import type { Image, ImageFinding } from '../executor/images/image.js';
import { readFolder } from '../executor/images/read-folder.js';
import type { ImageStore, StoredImage } from '../executor/images/store.js';
import { RootTree, VCAP } from '../executor/images/tree.js';
import type { Arch } from '../executor/model.js';
import { DEFAULT_IGNORE, ignoreRules } from './ignore.js';
import { addLibraries } from './libraries.js';
import { plan } from './plan.js';
import { resolveCommand, type ResolvedProcess } from './resolve.js';
import { addShell, inShell, SHELL_PROGRAMS } from './shell.js';
import { folderSource, type SourceTree } from './source.js';
import { TOOLCHAINS } from './toolchains/index.js';
import type { BuildContext, Built } from './toolchains/toolchain.js';

/** What a Linux image asks of a kernel (design D7). */
export const LINUX_ABI = 'linux-virtio-1';

export interface BuildOptions {
  /** The application's folder on this host. Never written to. */
  source: string;
  store: ImageStore;
  /** Names to give the image, `NAME` or `NAME:TAG`. */
  tags?: readonly string[];
  /** Folder for what is kept between builds, such as trimmed Java runtimes; `tmp` in it for what is not. */
  work: string;
  /** Told line by line what is found, chosen and why. */
  progress: (line: string) => void;
  guest?: 'linux';
  /** Put a shell into the image, for commands that need one. */
  withShell?: boolean;
  labels?: Record<string, string>;
  /** Environment of the tools that are run; its PATH is where they are found. */
  env: NodeJS.ProcessEnv;
  clock?: Clock;
  signal?: AbortSignal;
}

/**
 * From an application's folder to an image in the store. The same folder gives the same digest.
 * Throws source_missing, source_empty, source_unreadable, language_unknown, procfile_invalid, command_needs_shell,
 * command_missing, program_missing, library_missing, arch_mismatch, toolchain_missing, toolchain_failed, disk_full.
 */
export async function buildImage(options: BuildOptions): Promise<StoredImage> {
  const { progress, store, clock = systemClock } = options;
  const dir = await checkSource(options.source);
  const scratch = join(options.work, 'tmp', randomBytes(6).toString('hex'));
  try {
    await mkdir(scratch, { recursive: true, mode: 0o700 });
    const { tree, config, files } = await prepareImage(dir, scratch, options);
    progress(`Packing ${files.files} files of the application, ${megabytes(files.bytes)}`);
    const created = new Date(clock.now()).toISOString();
    const image = await composeImage(tree, { ...config, created, labels: options.labels ?? {} }, store, options.signal);
    for (const tag of options.tags ?? []) progress(`Named ${await store.tag(tag, image.digest)}`);
    progress(`Image ${image.digest.slice(0, 19)}, ${megabytes(image.root.bytes)}`);
    return image;
  } catch (err) {
    options.signal?.throwIfAborted();
    throw toUnikError(err);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function prepareImage(
  dir: string,
  scratch: string,
  options: BuildOptions,
): Promise<{
  tree: RootTree;
  config: Omit<Image, 'schema' | 'digest' | 'root' | 'created' | 'labels'>;
  files: { files: number; bytes: number };
}> {
  const { progress } = options;
  const ownRules = ignoreLines(folderSource(dir));
  const skip = ignoreRules(ownRules);
  const source = folderSource(dir, skip);
  const arch = hostArch();
  const chosen = plan(source, TOOLCHAINS);
  progress(`Application: ${chosen.toolchain}, by ${chosen.why}`);
  const toolchain = TOOLCHAINS.find(({ name }) => name === chosen.toolchain);
  if (!toolchain) throw new UnikError('internal', `no toolchain ${chosen.toolchain}`);
  const built = await toolchain.build(buildContext(dir, source, scratch, arch, chosen.commands, skip, options));

  const findings: ImageFinding[] = [...(built.findings ?? [])];
  const tree = new RootTree();
  addBase(tree);
  const appDir = built.app ?? dir;
  // A copy was made without what is ignored, and may hold more by now.
  const appSkip = ignoreRules([...(built.app === undefined ? ownRules : []), ...(built.ignore ?? [])]);
  const appTree = tree.folder(APP_DIR);
  await readFolder(appDir, appTree, {
    owner: VCAP,
    skip: appSkip,
    onFinding: (finding) => findings.push(finding),
    signal: options.signal,
  });
  const files = tree.measure(APP_DIR);
  await built.add(tree);
  if (options.withShell) addShell(tree, (name) => which(name, options.env));

  const processes = processesOf(chosen.commands ?? built.commands, folderSource(appDir, appSkip), built, options);
  const libraries = addLibraries({
    tree,
    appDir,
    arch,
    programs: built.elf,
    modules: built.modules ?? [],
    libraryPath: built.libraryPath ?? [],
    folders: built.folders ?? [],
    processes: Object.values(processes),
  });
  findings.push(...libraries.findings);
  progress(`Libraries: ${libraries.added.length} of this host, for ${libraries.programs} programs and modules`);
  for (const finding of findings) progress(`${finding.level === 'warning' ? 'Warning' : 'Note'}: ${finding.message}`);

  const env = Object.assign({ ...BASE_ENV, ...built.env }, ...Object.values(processes).map((one) => one.env)) as Record<
    string,
    string
  >;
  return {
    tree,
    files,
    config: {
      guest: 'linux',
      abi: LINUX_ABI,
      arch,
      processes: Object.fromEntries(
        Object.entries(processes).map(([type, { argv, cwd, expand }]) => [
          type,
          { argv, cwd, ...(expand ? { expand } : {}) },
        ]),
      ),
      env,
      ports: [DEFAULT_PORT],
      volumes: [],
      findings,
    },
  };
}

/** What is no part of the application: our defaults, then what the application's own lists say. */
function ignoreLines(source: SourceTree): string[] {
  return [...DEFAULT_IGNORE, ...['.cfignore', '.unikignore'].flatMap((name) => (source.read(name) ?? '').split('\n'))];
}

function processesOf(
  commands: Readonly<Record<string, string>>,
  app: SourceTree,
  built: Built,
  options: BuildOptions,
): Record<string, ResolvedProcess> {
  const programs = { ...built.programs, ...(options.withShell ? SHELL_PROGRAMS : {}) };
  const context = { app, programs, path: built.path ?? [] };
  const processes: Record<string, ResolvedProcess> = {};
  for (const [type, line] of Object.entries(commands)) {
    const resolved = options.withShell ? inShell(line, context) : resolveCommand(line, context);
    processes[type] = resolved;
    options.progress(`Process ${type}: ${resolved.argv.join(' ')}`);
  }
  return processes;
}

function buildContext(
  dir: string,
  source: SourceTree,
  scratch: string,
  arch: Arch,
  commands: Readonly<Record<string, string>> | undefined,
  skip: (path: string, isFolder: boolean) => boolean,
  options: BuildOptions,
): BuildContext {
  const { env, progress, signal } = options;
  const copyOf = join(scratch, 'app');
  let copied: Promise<string> | undefined;
  const copy = async (): Promise<string> => {
    await cp(dir, copyOf, {
      recursive: true,
      verbatimSymlinks: true,
      filter: async (from) => {
        const stats = await stat(from).catch(() => undefined);
        if (stats && !stats.isFile() && !stats.isDirectory()) return false;
        return !skip(relative(dir, from), stats?.isDirectory() ?? false);
      },
    });
    return copyOf;
  };
  return {
    source,
    dir,
    commands,
    arch,
    cache: join(options.work, 'cache'),
    scratch,
    copy: () => (copied ??= copy()),
    which: (name) => which(name, env),
    progress,
    tool: async (file, args, { cwd = scratch, env: more = {}, quiet = false } = {}) => {
      const { stdout } = await run(file, args, {
        cwd,
        env: { ...env, ...more },
        timeout_ms: 30 * 60_000,
        code: 'toolchain_failed',
        signal,
        ...(quiet ? {} : { onLine: (line: string) => progress(`  ${line}`) }),
      });
      return stdout;
    },
  };
}

async function checkSource(source: string): Promise<string> {
  const dir = resolve(source);
  try {
    if (!(await stat(dir)).isDirectory()) throw new UnikError('source_missing', `${dir} is not a folder`);
  } catch (err) {
    if (hasCode(err, 'ENOENT') || hasCode(err, 'ENOTDIR')) throw new UnikError('source_missing', `no folder ${dir}`);
    if (err instanceof UnikError) throw err;
    throw new UnikError('source_unreadable', `cannot read ${dir}: ${messageOf(err)}`, { cause: err });
  }
  const names = folderSource(dir).list('');
  const skip = ignoreRules(DEFAULT_IGNORE);
  if (names.every((name) => skip(name, false))) throw new UnikError('source_empty', `the folder ${dir} holds no files`);
  return dir;
}

function which(name: string, env: NodeJS.ProcessEnv): string | undefined {
  if (isAbsolute(name)) return isProgram(name) ? name : undefined;
  return (env['PATH'] ?? '')
    .split(delimiter)
    .filter(isAbsolute)
    .map((folder) => join(folder, name))
    .find(isProgram);
}

function isProgram(path: string): boolean {
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return false;
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function hostArch(): Arch {
  if (process.arch === 'x64') return 'x86_64';
  if (process.arch === 'arm64') return 'aarch64';
  throw new UnikError('arch_mismatch', `images for this processor (${process.arch}) cannot be built`);
}

function megabytes(bytes: number): string {
  return bytes < 1_000_000 ? `${(bytes / 1000).toFixed(0)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}
