import { randomBytes } from 'node:crypto';
import { mkdir, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { systemClock, type Clock } from '../core/clock.js';
import { hasCode, messageOf, toUnikError, UnikError } from '../core/errors.js';
import { APP_DIR, DEFAULT_PORT } from '../executor/images/base.js';
import { guestNamed } from '../executor/guests/index.js';
import { composeImage } from '../executor/images/compose.js';
import type { Image } from '../executor/images/image.js';
import type { ImageStore, StoredImage } from '../executor/images/store.js';
import type { RootTree } from '../executor/images/tree.js';
import type { Arch } from '../executor/model.js';
import { makeApplication } from './application.js';
import { DEFAULT_IGNORE, ignoreRules } from './ignore.js';
import { makeEnv } from './image-env.js';
import { makeRoot } from './image-root.js';
import { buildKernelImage, readyKernel } from './kernel-image.js';
import { readPackageJson } from './package-json.js';
import { folderSource } from './source.js';
import type { GuestChoice } from './suitability/guest.js';
import { findingLine, judge, refusalOf } from './suitability/judge.js';
import { pickGuest } from './suitability/pick.js';
import { readPrograms } from './suitability/read.js';
import type { Supplied } from './supplied.js';

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
  const { progress, guest: choice = LINUX, withShell: hasShell = false, cloudFoundry: needsWeb = false } = options;
  const app = await makeApplication(dir, scratch, { ...options, guest: choice });
  const { commands, arch } = app;
  const { tree, files, processes, findings: ofRoot } = await makeRoot(app, options);
  const { env, findings: ofEnv } = await makeEnv(app, Object.values(processes), options);
  const started = Object.values(processes).map(({ argv }) => argv[0] ?? '');
  const packages = Object.keys(readPackageJson(app.source)?.dependencies ?? {});
  const subject = { commands, processes, ...readPrograms(tree, APP_DIR, started), packages, hasShell, needsWeb };
  const { guest, why, findings: ofGuest } = pickGuest(choice, (name) => judge({ ...subject, guest: name }));
  const findings = [...ofRoot, ...ofEnv, ...ofGuest];
  progress(`Guest ${guest}: ${why}`);
  for (const finding of findings) progress(findingLine(finding));
  const refusal = refusalOf(findings);
  if (refusal) throw refusal;
  return {
    ...{ tree, files, commands },
    config: {
      ...{ guest, abi: guestNamed(guest).abi, arch, env, ports: [DEFAULT_PORT], volumes: [], findings },
      ...(options.pin === undefined ? {} : { pin: options.pin }),
      processes: Object.fromEntries(
        Object.entries(processes).map(([type, { argv, cwd, expand }]) => [
          type,
          { argv, cwd, ...(expand ? { expand } : {}) },
        ]),
      ),
    },
  };
}

/** The commands as they were written: who starts the image compares them with what Cloud Foundry asks for. */
export function commandLabels(commands: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(commands).map(([type, line]) => [`command.${type}`, line]));
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
