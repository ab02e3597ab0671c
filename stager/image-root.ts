import { realpathSync } from 'node:fs';
import { UnikError } from '../core/errors.js';
import { which } from '../core/which.js';
import { addBase, APP_DIR } from '../executor/images/base.js';
import type { ImageFinding } from '../executor/images/image.js';
import { readFolder } from '../executor/images/read-folder.js';
import { RootTree, VCAP } from '../executor/images/tree.js';
import type { Application } from './application.js';
import type { BuildOptions } from './build.js';
import { addLibraries } from './libraries.js';
import { resolveCommand, type ResolvedProcess } from './resolve.js';
import { programIn } from './runtime-root.js';
import { addShell, inShell, SHELL_PROGRAMS } from './shell.js';
import { folderSource } from './source.js';
import { addSupplied, DEPS_DIR, suppliedFolders, suppliedPrograms } from './supplied.js';

interface ImageRoot {
  tree: RootTree;
  /** Of the application alone. */
  files: { files: number; bytes: number };
  processes: Record<string, ResolvedProcess>;
  findings: ImageFinding[];
}

/** The root of an image: base, application, what was supplied, its runtime, and the libraries that all of it needs. */
export async function makeRoot(app: Application, options: BuildOptions): Promise<ImageRoot> {
  const { supplied, progress } = options;
  const { built, root } = app;
  const findings: ImageFinding[] = [...(built.findings ?? [])];
  const tree = new RootTree();
  addBase(tree);
  await readFolder(app.dir, tree.folder(APP_DIR), {
    owner: VCAP,
    skip: app.skip,
    onFinding: (finding) => findings.push(finding),
    signal: options.signal,
  });
  const files = tree.measure(APP_DIR);
  if (options.cloudFoundry === true && files.bytes === 0) {
    throw new UnikError('source_empty', `the application's ${files.files} files hold 0 bytes`);
  }
  if (supplied) {
    const places = [app.given, realpathSync(app.given), app.dir];
    await addSupplied(tree, supplied, Object.fromEntries(places.map((place) => [place, APP_DIR])));
  }
  await built.add(tree);
  if (options.withShell)
    addShell(tree, (name) => (root === '' ? which(name, options.env['PATH'] ?? '') : root + programIn(root, name)));

  const processes = processesOf(app, options);
  const libraries = addLibraries({
    tree,
    appDir: app.dir,
    arch: app.arch,
    programs: built.elf,
    modules: built.modules ?? [],
    libraryPath: [...(built.libraryPath ?? []), ...(supplied ? suppliedFolders(supplied, 'lib') : [])],
    folders: [...(built.folders ?? []), ...(supplied ? [supplied.dir] : [])],
    searched: supplied ? [DEPS_DIR] : [],
    processes: Object.values(processes),
    root: root === '' ? options.libraryRoot : root,
    foreign: root !== '',
  });
  const { added, programs } = libraries;
  const whose = root === '' ? 'this host' : root;
  progress(`Libraries: ${added.length} of ${whose}, for ${programs} programs and modules`);
  return { tree, files, processes, findings: [...findings, ...libraries.findings] };
}

function processesOf(app: Application, options: BuildOptions): Record<string, ResolvedProcess> {
  const { commands, built } = app;
  if (Object.keys(commands).length === 0)
    throw new UnikError('command_missing', 'nothing says how to start the application');
  const programs = {
    ...(options.supplied ? suppliedPrograms(options.supplied, built.programs) : {}),
    ...built.programs,
    ...(options.withShell ? SHELL_PROGRAMS : {}),
  };
  const context = { app: folderSource(app.dir, app.skip), programs, path: built.path ?? [] };
  const processes: Record<string, ResolvedProcess> = {};
  for (const [type, line] of Object.entries(commands)) {
    const resolved = options.withShell ? inShell(line, context) : resolveCommand(line, context);
    processes[type] = resolved;
    options.progress(`Process ${type}: ${resolved.argv.join(' ')}`);
  }
  return processes;
}
