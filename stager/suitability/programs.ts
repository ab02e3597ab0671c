import type { ImageFinding } from '../../executor/images/image.js';
import type { Rule } from './subject.js';
import { capabilitiesOf } from './capabilities.js';

/** Names by which a program copies itself or starts another. */
const PROCESSES = new Set(
  'fork vfork _Fork clone daemon posix_spawn posix_spawnp execve execv execvp execvpe execl execlp execle fexecve'.split(
    ' ',
  ),
);
/** Of those, the ones that hand a line to /bin/sh. */
const THROUGH_SHELL = new Set(['system', 'popen', 'wordexp']);

/** Only one program, and a loader that chooses the address: others cannot be loaded at all. */
export const position: Rule = ({ guest, programs }) => {
  if (!capabilitiesOf(guest).onlyPositionIndependent) return [];
  return programs
    .filter((program) => program.isStarted && !program.positionIndependent)
    .map(({ path }) => ({
      level: 'refused',
      code: 'not_position_independent',
      message: `${path} is built for a fixed address, which the guest ${guest} cannot load`,
      file: path,
      remedy: 'Build it with -pie (Go: -buildmode=pie), or set UNIK_GUEST=linux.',
    }));
};

/**
 * Calls that start processes. A name in a table is no proof: runtimes and C libraries carry them without using them.
 * So this is a warning for the application's own programs, a note for a runtime, and never a refusal.
 */
export const processes: Rule = ({ guest, programs, hasShell }) =>
  programs.flatMap(({ path, from, calls }) => {
    const findings: ImageFinding[] = [];
    const starts = capabilitiesOf(guest).fork
      ? []
      : calls.filter((name) => PROCESSES.has(name) || THROUGH_SHELL.has(name));
    if (starts.length > 0) {
      findings.push({
        level: from === 'app' ? 'warning' : 'info',
        code: 'starts_programs',
        message: `${path} can start processes (${starts.join(', ')}), which fails on the guest ${guest}`,
        file: path,
        symbol: starts.join(','),
        remedy: 'Use threads, or set UNIK_GUEST=linux.',
      });
    }
    const shell = calls.filter((name) => THROUGH_SHELL.has(name));
    if (shell.length > 0 && starts.length === 0 && !hasShell && from === 'app') {
      findings.push({
        level: 'warning',
        code: 'uses_shell',
        message: `${path} can run lines of a shell (${shell.join(', ')}), and the image has none`,
        file: path,
        symbol: shell.join(','),
        remedy: 'Do in the program what the shell was for, or start the other program by execve.',
      });
    }
    return findings;
  });

/** Functions that the guest does not have. */
export const unsupported: Rule = ({ guest, programs }) =>
  programs.flatMap(({ path, from, calls }) => {
    const names = calls.filter((name) => capabilitiesOf(guest).unsupported.includes(name));
    if (names.length === 0) return [];
    return [
      {
        level: from === 'app' ? 'warning' : 'info',
        code: 'function_unsupported',
        message: `${path} can call ${names.join(', ')}, which the guest ${guest} does not have`,
        file: path,
        symbol: names.join(','),
        remedy: 'Do without, or set UNIK_GUEST=linux.',
      },
    ];
  });

/** Everything in a machine is the application's already: the bit has no use, and is not kept. */
export const setuid: Rule = ({ setuid: files }) =>
  files.map((file) => ({
    level: 'warning',
    code: 'setuid_dropped',
    message: `${file} would run as another user: the bit is left out of the image`,
    file,
    remedy: 'Nothing, unless it must be root: no program of an application can be.',
  }));
