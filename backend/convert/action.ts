import { posix } from 'node:path';
import { UnikError } from '../../core/errors.js';
import type { Action, RunAction } from '../../protos/generated.js';
import type { Download, RunOrder } from '../cell/model.js';
import { isLifecycle, LIFECYCLE_DIR, ofAction } from './downloads.js';

/** The one program of an action tree, and what stands around it. */
export interface Program {
  run: RunAction;
  /** Its own, or the nearest around it. */
  log_source: string;
  downloads: Download[];
  wrapped: NonNullable<RunOrder['wrapped']>;
  timeout_ms?: number;
  /** Cloud Controller's SSH server was asked for; it needs a shell and is left out. */
  ssh: boolean;
}

interface Found {
  runs: Omit<Program, 'downloads' | 'ssh'>[];
  downloads: Download[];
  ssh: boolean;
}

/**
 * Finds the program that is to run: steps are taken off until one run action is left. Throws definition_unsupported for
 * none, for a second one (a sidecar, several steps) and for an upload.
 */
export function findProgram(action: Action | undefined, log_source: string): Program {
  const { runs, downloads, ssh } = search(action, log_source);
  const [only, ...others] = runs;
  if (!only) throw unsupported('its action runs no program');
  if (others.length > 0) {
    const names = others.map(({ run, log_source: source }) => programName(run, source)).join(', ');
    throw unsupported(`beside ${programName(only.run, only.log_source)} it also runs ${names}; a unikernel runs one`);
  }
  return { ...only, downloads, ssh };
}

/** Downloads of a `setup` action. Throws definition_unsupported when it does anything else. */
export function setupDownloads(setup: Action | undefined, log_source: string): Download[] {
  const { runs, downloads } = search(setup, log_source);
  const [first] = runs;
  if (first) throw unsupported(`its setup runs ${programName(first.run, first.log_source)}`);
  return downloads;
}

/** `sidecar NAME` where Cloud Controller made it one, else its path. */
export function programName({ path }: Pick<RunAction, 'path'>, log_source: string): string {
  const sidecar = /\/SIDECAR\/(.+)$/.exec(log_source)?.[1];
  return sidecar === undefined ? path : `the sidecar ${sidecar}`;
}

function search(action: Action | undefined, source: string): Found {
  if (!action) return NOTHING;
  const { download_action, upload_action, run_action, timeout_action, emit_progress_action, try_action } = action;
  if (download_action) {
    const download = ofAction(download_action, download_action.log_source || source);
    return { ...NOTHING, downloads: isLifecycle(download.to) ? [] : [download] };
  }
  if (upload_action) throw unsupported(`it uploads ${upload_action.artifact || upload_action.from}`);
  if (run_action) return ofRun(run_action, run_action.log_source || source);
  if (timeout_action) {
    const { timeout_ms, deprecated_timeout_ns } = timeout_action;
    const ms = Number(timeout_ms > 0n ? timeout_ms : deprecated_timeout_ns / 1_000_000n);
    return around(search(timeout_action.action, timeout_action.log_source || source), (run) => ({
      ...run,
      timeout_ms: Math.min(ms, run.timeout_ms ?? ms),
    }));
  }
  if (emit_progress_action) return search(emit_progress_action.action, emit_progress_action.log_source || source);
  if (try_action) return wrap(search(try_action.action, try_action.log_source || source), 'try');
  const { parallel_action, serial_action, codependent_action } = action;
  const several = parallel_action ?? serial_action ?? codependent_action;
  if (!several) return NOTHING;
  const all = several.actions.map((child) => search(child, several.log_source || source)).reduce(join, NOTHING);
  return codependent_action ? wrap(all, 'codependent') : all;
}

function ofRun(run: RunAction, log_source: string): Found {
  const helper = isLifecycle(posix.dirname(run.path)) ? run.path.slice(LIFECYCLE_DIR.length + 1) : '';
  if (helper === 'diego-sshd') return { ...NOTHING, ssh: true };
  if (helper === 'healthcheck') return NOTHING;
  return { ...NOTHING, runs: [{ run, log_source, wrapped: [] }] };
}

const NOTHING: Found = { runs: [], downloads: [], ssh: false };

const join = (a: Found, b: Found): Found => ({
  runs: [...a.runs, ...b.runs],
  downloads: [...a.downloads, ...b.downloads],
  ssh: a.ssh || b.ssh,
});

const around = (found: Found, change: (run: Found['runs'][number]) => Found['runs'][number]): Found => ({
  ...found,
  runs: found.runs.map(change),
});

const wrap = (found: Found, kind: Program['wrapped'][number]): Found =>
  around(found, (run) => ({ ...run, wrapped: [...run.wrapped, kind] }));

const unsupported = (why: string): UnikError => new UnikError('definition_unsupported', `it cannot run here: ${why}`);
