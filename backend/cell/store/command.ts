import { posix } from 'node:path';
import { UnikError } from '../../../core/errors.js';
import { APP_DIR } from '../../../executor/images/base.js';
import { startCommand } from '../../../executor/images/droplet.js';
import type { Image } from '../../../executor/images/image.js';
import type { InstanceSpec } from '../../../executor/model.js';
import { parseCommand } from '../../../stager/command.js';
import type { Launch } from '../model.js';

/** What the executor is told to run: the image's own process, or words of their own. */
export type Argv = Pick<InstanceSpec, 'process_type' | 'argv' | 'expand' | 'cwd' | 'env'>;

/**
 * The program of a launch in this image. A start command that is the process's own, or empty, means that process;
 * another one is taken apart as at staging, and run by a shell only where the image has one.
 * Throws command_needs_shell, command_missing.
 */
export function argvOf({ command, process_type, cwd, user }: Launch, image: Image): Argv {
  const place = cwd === undefined ? {} : { cwd };
  if (command.kind === 'program') return { process_type, argv: command.argv, cwd: cwd ?? homeOf(user), env: {} };
  const text = command.text.trim();
  const own = Object.hasOwn(image.processes, process_type) ? image.processes[process_type] : undefined;
  // As the application wrote it, or, in older droplets and those of `unik`, as it was resolved.
  const written = image.labels[`command.${process_type}`]?.trim();
  if (own && (text === '' || text === written || text === startCommand({ processes: { web: own } }))) {
    return { process_type, ...place, env: {} };
  }
  try {
    const { words, expand, env, cwd: folder } = parseCommand(text);
    const start = cwd ?? own?.cwd ?? APP_DIR;
    const inFolder = { cwd: folder === undefined ? start : posix.resolve(start, folder) };
    return { process_type, argv: words, ...(expand ? { expand } : {}), ...inFolder, env };
  } catch (err) {
    const shell = shellOf(image);
    if (!(err instanceof UnikError) || err.code !== 'command_needs_shell' || shell === undefined) throw err;
    return { process_type, argv: [shell, '-c', text], cwd: cwd ?? own?.cwd ?? APP_DIR, env: {} };
  }
}

/** Where a process starts that is told no folder; every image has these. */
const homeOf = (user: string): string => (user === 'root' ? '/' : '/home/vcap');

/** Images built with a shell name it in a process or say so in a label. */
function shellOf(image: Image): string | undefined {
  const programs = Object.values(image.processes).map(({ argv }) => argv[0] ?? '');
  return image.labels['shell'] ?? programs.find((program) => /^\/(usr\/)?bin\/(ba|da)?sh$/.test(program));
}
