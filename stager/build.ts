import { randomBytes } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { mkdir, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { systemClock, type Clock } from '../core/clock.js';
import { hasCode, messageOf, toUnikError, UnikError } from '../core/errors.js';
import { which } from '../core/which.js';
import { addBase, APP_DIR, BASE_ENV, DEFAULT_PORT } from '../executor/images/base.js';
import { guestNamed } from '../executor/guests/index.js';
import { composeImage } from '../executor/images/compose.js';
import type { Image, ImageFinding } from '../executor/images/image.js';
import { readFolder } from '../executor/images/read-folder.js';
import type { ImageStore, StoredImage } from '../executor/images/store.js';
import { RootTree, VCAP } from '../executor/images/tree.js';
import type { Arch } from '../executor/model.js';
import { hostArch } from './arch.js';
import { buildContext } from './build-context.js';
import { DEFAULT_IGNORE, ignoreRules } from './ignore.js';
import { buildKernelImage, readyKernel } from './kernel-image.js';
import { addLibraries } from './libraries.js';
import { readPackageJson } from './package-json.js';
import { plan } from './plan.js';
import { readProfile } from './profile.js';
import { resolveCommand, type ResolvedProcess } from './resolve.js';
import { programIn, runtimeRoot } from './runtime-root.js';
import { addShell, inShell, SHELL_PROGRAMS } from './shell.js';
import { folderSource, type SourceTree } from './source.js';
import { capabilitiesOf } from './suitability/capabilities.js';
import type { GuestChoice } from './suitability/guest.js';
import { findingLine, judge, refusalOf } from './suitability/judge.js';
import { pickGuest } from './suitability/pick.js';
import { readPrograms } from './suitability/read.js';
import {
  addSupplied,
  DEPS_DIR,
  placeOf,
  suppliedEnv,
  suppliedFolders,
  suppliedPrograms,
  type Supplied,
} from './supplied.js';
import { TOOLCHAINS } from './toolchains/index.js';
import type { Built } from './toolchains/toolchain.js';

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
  /** The processor it is for. Default: this host's. Another one is for toolchains that can build for it. */
  arch?: Arch;
  /** What kind of machine it must suit, from `chooseGuest`. Default `linux`. */
  guest?: GuestChoice;
  /** Digest of the one kernel it may boot with, for kernels that the user brings. */
  pin?: string;
  /** Cloud Foundry's rules: there is a process `web`, files hold something, profile scripts count. */
  cloudFoundry?: boolean;
  /** What buildpacks before this one put beside the application. */
  supplied?: Supplied | undefined;
  /** A folder that stands for `/` where libraries are looked for. Default: the host's own. */
  libraryRoot?: string | undefined;
  /** Put a shell into the image, for commands that need one. */
  withShell?: boolean;
  labels?: Record<string, string>;
  /** Environment of the tools that are run; its PATH is where they are found. */
  env: NodeJS.ProcessEnv;
  /** The file of the Node.js that runs this process, where `process.execPath` does not tell. */
  node?: string;
  clock?: Clock;
  signal?: AbortSignal;
}

/**
 * From an application's folder to an image in the store. The same folder gives the same digest.
 * Throws source_missing, source_empty, source_unreadable, language_unknown, procfile_invalid, command_needs_shell,
 * command_missing, program_missing, library_missing, arch_mismatch, runtime_missing, toolchain_missing, toolchain_failed, disk_full,
 * and what the suitability check refuses.
 */
export async function buildImage(options: BuildOptions): Promise<StoredImage> {
  const { progress, store, clock = systemClock } = options;
  const brings = options.guest?.candidates.find((name) => guestNamed(name).ownKernel) ?? readyKernel(options);
  if (brings) return buildKernelImage(brings, options);
  const dir = await checkSource(options.source);
  const scratch = join(options.work, 'tmp', randomBytes(6).toString('hex'));
  try {
    await mkdir(scratch, { recursive: true, mode: 0o700 });
    const { tree, config, files, commands } = await prepareImage(dir, scratch, options);
    const labels = { ...commandLabels(commands), ...options.labels };
    progress(`Packing ${files.files} files of the application, ${megabytes(files.bytes)}`);
    const created = new Date(clock.now()).toISOString();
    const image = await composeImage(tree, { ...config, created, labels }, store, options.signal);
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
  commands: Readonly<Record<string, string>>;
}> {
  const { progress, supplied, guest: choice = LINUX, cloudFoundry = false } = options;
  const needsPie = choice.asked && choice.candidates.every((name) => capabilitiesOf(name).onlyPositionIndependent);
  const oneProcess = choice.candidates.some((name) => !capabilitiesOf(name).fork);
  const ownRules = ignoreLines(folderSource(dir));
  const skip = ignoreRules(ownRules);
  const source = folderSource(dir, skip);
  const { arch = hostArch() } = options;
  const chosen = plan(source, TOOLCHAINS);
  progress(`Application: ${chosen.toolchain}, by ${chosen.why}`);
  const toolchain = TOOLCHAINS.find(({ name }) => name === chosen.toolchain);
  if (!toolchain) throw new UnikError('internal', `no toolchain ${chosen.toolchain}`);
  const root = runtimeRoot(toolchain, arch, options.env);
  const placed = (path: string): string | undefined => (supplied ? placeOf(supplied, path) : undefined);
  const context = buildContext(
    {
      dir,
      source,
      scratch,
      arch,
      root,
      commands: chosen.commands,
      skip,
      placed,
      positionIndependent: needsPie,
      oneProcess,
    },
    options,
  );
  const built = await toolchain.build(context);

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
  if (cloudFoundry && files.bytes === 0) {
    throw new UnikError('source_empty', `the application's ${files.files} files hold 0 bytes`);
  }
  if (supplied) await addSupplied(tree, supplied, { [dir]: APP_DIR, [realpathSync(dir)]: APP_DIR, [appDir]: APP_DIR });
  await built.add(tree);
  if (options.withShell)
    addShell(tree, (name) => (root === '' ? which(name, options.env['PATH'] ?? '') : root + programIn(root, name)));

  const commands = chosen.commands ?? built.commands;
  const programs = { ...(supplied ? suppliedPrograms(supplied, built.programs) : {}), ...built.programs };
  const processes = processesOf(commands, folderSource(appDir, appSkip), { ...built, programs }, options);
  const libraries = addLibraries({
    tree,
    appDir,
    arch,
    programs: built.elf,
    modules: built.modules ?? [],
    libraryPath: [...(built.libraryPath ?? []), ...(supplied ? suppliedFolders(supplied, 'lib') : [])],
    folders: [...(built.folders ?? []), ...(supplied ? [supplied.dir] : [])],
    searched: supplied ? [DEPS_DIR] : [],
    processes: Object.values(processes),
    root: root === '' ? options.libraryRoot : root,
    foreign: root !== '',
  });
  findings.push(...libraries.findings);
  progress(
    `Libraries: ${libraries.added.length} of ${root === '' ? 'this host' : root}, for ${libraries.programs} programs and modules`,
  );

  const env = await environmentOf(appDir, built, processes, findings, options);
  const started = Object.values(processes).map(({ argv }) => argv[0] ?? '');
  const subject = {
    ...{ commands, processes, ...readPrograms(tree, APP_DIR, started) },
    packages: Object.keys(readPackageJson(source)?.dependencies ?? {}),
    hasShell: options.withShell === true,
    needsWeb: cloudFoundry,
  };
  const picked = pickGuest(choice, (guest) => judge({ ...subject, guest }));
  const { guest } = picked;
  findings.push(...picked.findings);
  progress(`Guest ${guest}: ${picked.why}`);
  for (const finding of findings) progress(findingLine(finding));
  const refusal = refusalOf(findings);
  if (refusal) throw refusal;

  return {
    tree,
    files,
    commands,
    config: {
      guest,
      abi: guestNamed(guest).abi,
      ...(options.pin === undefined ? {} : { pin: options.pin }),
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

/** The image's defaults: base, toolchain, what was supplied, what profile scripts set, what commands set. */
async function environmentOf(
  appDir: string,
  built: Built,
  processes: Readonly<Record<string, ResolvedProcess>>,
  findings: ImageFinding[],
  options: BuildOptions,
): Promise<Record<string, string>> {
  const { supplied } = options;
  const env: Record<string, string> = { ...BASE_ENV, ...built.env };
  if (supplied) {
    const { path, libraryPath } = suppliedEnv(supplied);
    env['PATH'] = [...path, env['PATH'] ?? ''].join(':');
    if (libraryPath.length > 0) env['LD_LIBRARY_PATH'] = libraryPath.join(':');
    env['DEPS_DIR'] = DEPS_DIR;
  }
  if (options.cloudFoundry) {
    const depsDir = supplied?.dir;
    const bash = which('bash', options.env['PATH'] ?? '');
    const profile = await readProfile({
      appDir,
      ...(depsDir === undefined ? {} : { depsDir }),
      env,
      bash,
      signal: options.signal,
    });
    Object.assign(env, profile?.env);
    findings.push(...(profile?.findings ?? []));
  }
  return Object.assign(env, ...Object.values(processes).map((one) => one.env)) as Record<string, string>;
}

/** The commands as they were written: who starts the image compares them with what Cloud Foundry asks for. */
export function commandLabels(commands: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(commands).map(([type, line]) => [`command.${type}`, line]));
}

/** What is no part of the application: our defaults, then what the application's own lists say. */
function ignoreLines(source: SourceTree): string[] {
  return [...DEFAULT_IGNORE, ...['.cfignore', '.unikignore'].flatMap((name) => (source.read(name) ?? '').split('\n'))];
}

function processesOf(
  commands: Readonly<Record<string, string>>,
  app: SourceTree,
  built: Pick<Built, 'path'> & { programs: Readonly<Record<string, readonly string[]>> },
  options: BuildOptions,
): Record<string, ResolvedProcess> {
  if (Object.keys(commands).length === 0)
    throw new UnikError('command_missing', 'nothing says how to start the application');
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

const LINUX: GuestChoice = { candidates: ['linux'], asked: false, why: 'it runs any Linux program' };

function megabytes(bytes: number): string {
  return bytes < 1_000_000 ? `${(bytes / 1000).toFixed(0)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}
