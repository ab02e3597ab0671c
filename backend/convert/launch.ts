import { posix } from 'node:path';
import { UnikError } from '../../core/errors.js';
import type { File, RunAction } from '../../protos/generated.js';
import type { Launch } from '../cell/model.js';
import { LIFECYCLE_DIR } from './downloads.js';
import { launcherEnv, type Env } from './env.js';

/** Where Cloud Foundry's file based bindings are read (rep, executor `volume_mounted_files`). */
const BINDINGS_DIR = '/etc/cf-service-bindings';

/** `container`: the environment that every process of the container has. */
export function launchOf(
  run: RunAction,
  { log_source, container, process_type }: { log_source: string; container: Env; process_type?: string | undefined },
): Launch {
  const own = run.env.map(({ name, value }): Env[number] => [name, value]);
  const env = [...container, ...own];
  const launcher = run.path === `${LIFECYCLE_DIR}/launcher`;
  return {
    command: launcher
      ? { kind: 'start_command', text: run.args[1] ?? '' }
      : { kind: 'program', argv: [run.path, ...run.args] },
    process_type: process_type || typeOf(log_source),
    ...(run.dir === '' ? {} : { cwd: run.dir }),
    user: run.user || 'root',
    env: launcher ? [...env, ...launcherEnv(env)] : env,
    log_source,
    suppress_output: run.suppress_log_output,
  };
}

/** `APP/PROC/WORKER` and `APP/REV/3/PROC/WORKER` are of type `worker`. */
function typeOf(log_source: string): string {
  return /^APP(?:\/REV\/\d+)?\/PROC\/([^/]+)$/.exec(log_source)?.[1]?.toLowerCase() ?? 'web';
}

/** By absolute path. Throws definition_unsupported for a path that climbs. */
export function mountedFiles(files: readonly File[]): Record<string, string> {
  return Object.fromEntries(
    files.map(({ path, content }) => {
      const place = posix.join(BINDINGS_DIR, path);
      if (!place.startsWith(`${BINDINGS_DIR}/`)) {
        throw new UnikError('definition_unsupported', `the mounted file ${path} is outside ${BINDINGS_DIR}`);
      }
      return [place, content];
    }),
  );
}
