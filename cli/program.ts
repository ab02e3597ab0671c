import { Command, CommanderError } from 'commander';
import { toUnikError } from '../core/errors.js';
import { VERSION } from '../core/version.js';
import { addBuild } from './commands/build.js';
import { addCatalogue } from './commands/catalogue.js';
import { addCell } from './commands/cell.js';
import { addCompletion } from './commands/completion.js';
import { addDaemon } from './commands/daemon.js';
import { addImages } from './commands/images.js';
import { addInspect } from './commands/inspect.js';
import { addInstances } from './commands/instances.js';
import { addLogs } from './commands/logs.js';
import { addRun } from './commands/run.js';
import { addStager } from './commands/stager.js';
import { addTarget } from './commands/target.js';
import { addUp } from './commands/up.js';
import { renderError } from './render.js';
import { print, type Shell } from './shell.js';

export function createProgram(shell: Shell): Command {
  const program = new Command('unik')
    .description('Unikernels as easily as containers.')
    .version(VERSION, '-V, --version', 'print the version of this command')
    .showHelpAfterError(false)
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void shell.stdout.write(text),
      writeErr: (text) => void shell.stderr.write(text),
      outputError: (text, write) => write(`unik: ${text.replace(/^error: /, '')}`),
    });
  for (const add of [
    addRun,
    addBuild,
    addInstances,
    addLogs,
    addInspect,
    addImages,
    addCatalogue,
    addUp,
    addDaemon,
    addCell,
    addStager,
    addTarget,
    addCompletion,
  ]) {
    add(program, shell);
  }
  return program;
}

/** Runs one command line. The status is 0: done, 1: refused or failed, 2: wrong usage, or the application's own. */
export async function runCommandLine(shell: Omit<Shell, 'setExit'>, words: readonly string[]): Promise<number> {
  let status = 0;
  const program = createProgram({ ...shell, setExit: (given) => (status = given) });
  try {
    await program.parseAsync(words, { from: 'user' });
    return status;
  } catch (err) {
    if (err instanceof CommanderError) return err.exitCode === 0 ? 0 : 2;
    const error = toUnikError(err);
    print(shell.stderr, renderError(error));
    return error.code === 'usage' ? 2 : 1;
  }
}
