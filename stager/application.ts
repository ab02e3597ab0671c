import { UnikError } from '../core/errors.js';
import type { Arch } from '../executor/model.js';
import { hostArch } from './arch.js';
import { buildContext } from './build-context.js';
import type { BuildOptions } from './build.js';
import { DEFAULT_IGNORE, ignoreRules } from './ignore.js';
import { plan } from './plan.js';
import { runtimeRoot } from './runtime-root.js';
import { folderSource, type SourceTree } from './source.js';
import { capabilitiesOf } from './suitability/capabilities.js';
import type { GuestChoice } from './suitability/guest.js';
import { placeOf } from './supplied.js';
import { TOOLCHAINS } from './toolchains/index.js';
import type { Built } from './toolchains/toolchain.js';

/** An application as its toolchain made it ready. */
export interface Application {
  /** The user's folder, and what in it counts. */
  given: string;
  source: SourceTree;
  /** The folder that goes into the image, without what `skip` says. */
  dir: string;
  skip: (path: string, isFolder: boolean) => boolean;
  arch: Arch;
  /** A folder that stands for `/` where its runtime is taken from. Empty: this host. */
  root: string;
  commands: Readonly<Record<string, string>>;
  built: Built;
}

/** Finds the toolchain for a folder, and lets it build. Throws language_unknown, procfile_invalid and what toolchains throw. */
export async function makeApplication(
  dir: string,
  scratch: string,
  options: BuildOptions & { guest: GuestChoice },
): Promise<Application> {
  const { supplied, guest, arch = hostArch() } = options;
  const ownRules = ignoreLines(folderSource(dir));
  const skip = ignoreRules(ownRules);
  const source = folderSource(dir, skip);
  const chosen = plan(source, TOOLCHAINS);
  options.progress(`Application: ${chosen.toolchain}, by ${chosen.why}`);
  const toolchain = TOOLCHAINS.find(({ name }) => name === chosen.toolchain);
  if (!toolchain) throw new UnikError('internal', `no toolchain ${chosen.toolchain}`);
  const root = runtimeRoot(toolchain, arch, options.env);
  const context = {
    ...{ dir, source, scratch, arch, root, commands: chosen.commands, skip },
    placed: (path: string): string | undefined => (supplied ? placeOf(supplied, path) : undefined),
    positionIndependent: guest.asked && guest.candidates.every((name) => capabilitiesOf(name).onlyPositionIndependent),
    oneProcess: guest.candidates.some((name) => !capabilitiesOf(name).fork),
  };
  const built = await toolchain.build(buildContext(context, options));
  return {
    ...{ given: dir, source, dir: built.app ?? dir, arch, root, commands: chosen.commands ?? built.commands, built },
    // A copy was made without what is ignored, and may hold more by now.
    skip: ignoreRules([...(built.app === undefined ? ownRules : []), ...(built.ignore ?? [])]),
  };
}

/** What is no part of the application: our defaults, then what the application's own lists say. */
function ignoreLines(source: SourceTree): string[] {
  return [...DEFAULT_IGNORE, ...['.cfignore', '.unikignore'].flatMap((name) => (source.read(name) ?? '').split('\n'))];
}
