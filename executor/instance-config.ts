import { UnikError } from '../core/errors.js';
import { expandArgv, namesIn } from './images/expand.js';
import type { Image } from './images/image.js';
import type { InstanceConfig, InstanceSpec } from './model.js';

/**
 * What the guest is told, but for its network. The environment of the instance wins over what we derive from its
 * limits, and that over the image's defaults. Throws `bad_request`.
 */
export function makeInstanceConfig(spec: InstanceSpec, image: Image): Omit<InstanceConfig, 'net'> {
  const port = spec.ports[0]?.guest_port ?? image.ports[0];
  const env = {
    ...image.env,
    MEMORY_LIMIT: `${spec.limits.memory_mb}m`,
    ...(port === undefined ? {} : { PORT: String(port) }),
    ...spec.env,
  };
  checkEnv(env);
  const { argv: words, cwd, expand } = chooseCommand(spec, image);
  const argv = expand ? expanded(words, env) : words;
  return {
    ...{ schema: 1, argv, cwd, env, hostname: spec.hostname, mounts: [], files: spec.files ?? {} },
    ...(spec.result_file === undefined ? {} : { result_file: spec.result_file }),
    ...(spec.uid === undefined ? {} : { uid: spec.uid }),
    ...(spec.nofile === undefined ? {} : { nofile: spec.nofile }),
    ...(spec.max_pids === undefined ? {} : { max_pids: spec.max_pids }),
    ...(spec.program === undefined ? {} : { program: spec.program }),
    ...(spec.monitor === undefined ? {} : { monitor: spec.monitor }),
    ...(spec.lingers === undefined ? {} : { lingers: spec.lingers }),
  };
}

/** Variables of the environment that the words of the instance's process take. Throws `bad_request`. */
export function variablesIn(spec: InstanceSpec, image: Image): string[] {
  const { argv, expand } = chooseCommand(spec, image);
  return expand ? namesIn(argv) : [];
}

function chooseCommand(spec: InstanceSpec, image: Image): { argv: string[]; cwd: string; expand: boolean } {
  // Object.hasOwn: a process type may be called `constructor`.
  const chosen = Object.hasOwn(image.processes, spec.process_type) ? image.processes[spec.process_type] : undefined;
  if (spec.argv) {
    if (!spec.argv[0]) throw new UnikError('bad_request', 'argv: the program to run is missing');
    return { argv: spec.argv, cwd: spec.cwd ?? chosen?.cwd ?? '/', expand: spec.expand === true };
  }
  if (!chosen) {
    const known = Object.keys(image.processes).sort().join(', ') || 'none';
    throw new UnikError(
      'bad_request',
      `process_type: the image has no process ${JSON.stringify(spec.process_type)}; it has: ${known}`,
    );
  }
  return { argv: chosen.argv, cwd: spec.cwd ?? chosen.cwd, expand: chosen.expand === true };
}

function expanded(words: readonly string[], env: Record<string, string>): string[] {
  // An empty word vanishes, and then the next one would be taken for the program.
  if (!expandArgv(words.slice(0, 1), env)[0]) {
    throw new UnikError('bad_request', `env: ${words[0] ?? ''} names the program to run, and is empty`);
  }
  return expandArgv(words, env);
}

/** An environment reaches a program as `NAME=value` ended by a zero byte. */
function checkEnv(env: Record<string, string>): void {
  for (const [name, value] of Object.entries(env)) {
    if (name === '' || /[=\0]/.test(name)) {
      throw new UnikError('bad_request', `env: ${JSON.stringify(name)} is not a name: it is empty or holds "="`);
    }
    if (value.includes('\0')) throw new UnikError('bad_request', `env: the value of ${name} holds a zero byte`);
  }
}
