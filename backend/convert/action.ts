import { posix } from 'node:path';
import { UnikError } from '../../core/errors.js';
import type { Joined } from '../../executor/model.js';
import type { Action, RunAction } from '../../protos/generated.js';
import type { Download, RunOrder } from '../cell/model.js';
import { isLifecycle, LIFECYCLE_DIR, ofAction } from './downloads.js';
import { leavesOf, mapLeaves } from './joined.js';

/** A run action and what stands around it. */
export interface Program {
  run: RunAction;
  /** Its own, or the nearest around it. */
  log_source: string;
  timeout_ms?: number;
}

/** What is left of an action tree when its downloads are taken off. */
export interface Found {
  /** Absent: it runs nothing. */
  programs?: Joined<Program>;
  downloads: Download[];
  /** Cloud Controller's SSH server was asked for; it needs a shell and is left out. */
  ssh: boolean;
}

/**
 * The one program of a unikernel, and the steps around it that change what its end means. Throws
 * definition_unsupported for none and for a second one (a sidecar, several steps).
 */
export function soleProgram({ programs }: Found): Program & { wrapped: NonNullable<RunOrder['wrapped']> } {
  const [only, ...others] = programs ? leavesOf(programs) : [];
  if (!only || !programs) throw unsupported('its action runs no program');
  if (others.length > 0) {
    const names = others.map(programName).join(', ');
    throw unsupported(`beside ${programName(only)} it also runs ${names}; a unikernel runs one`);
  }
  return { ...only, wrapped: wrappersOf(programs) };
}

/** The time limit of several programs, which must be that of all of them. Throws definition_unsupported. */
export function commonTimeout(programs: Joined<Program>): number | undefined {
  const [first, ...others] = leavesOf(programs).map(({ timeout_ms }) => timeout_ms);
  if (others.some((limit) => limit !== first)) throw unsupported('one of its programs has a time limit of its own');
  return first;
}

/** Throws definition_unsupported for a setup that runs something. */
export function refuseToRun({ programs }: Found): void {
  const [first] = programs ? leavesOf(programs) : [];
  if (first) throw unsupported(`its setup runs ${programName(first)}`);
}

/** `sidecar NAME` where Cloud Controller made it one, else its path. */
export function programName({ run, log_source }: Program): string {
  const sidecar = /\/SIDECAR\/(.+)$/.exec(log_source)?.[1];
  return sidecar === undefined ? run.path : `the sidecar ${sidecar}`;
}

/** Takes downloads and the lifecycle's helpers off an action. Throws definition_unsupported for an upload. */
export function findPrograms(action: Action | undefined, source: string): Found {
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
    const limited = ({ timeout_ms: own, ...rest }: Program): Program => ({
      ...rest,
      timeout_ms: Math.min(ms, own ?? ms),
    });
    const inner = findPrograms(timeout_action.action, timeout_action.log_source || source);
    return wrap(inner, (programs) => mapLeaves(programs, limited));
  }
  if (emit_progress_action) {
    return findPrograms(emit_progress_action.action, emit_progress_action.log_source || source);
  }
  if (try_action) {
    return wrap(findPrograms(try_action.action, try_action.log_source || source), (programs) => ({ try: programs }));
  }
  return ofSeveral(action, source);
}

function ofSeveral({ parallel_action, serial_action, codependent_action }: Action, source: string): Found {
  const several = parallel_action ?? serial_action ?? codependent_action;
  if (!several) return NOTHING;
  const found = several.actions.map((child) => findPrograms(child, several.log_source || source));
  const children = found.flatMap(({ programs }) => programs ?? []);
  const all = {
    downloads: found.flatMap(({ downloads }) => downloads),
    ssh: found.some(({ ssh }) => ssh),
  };
  const [only] = children;
  if (!only) return all;
  if (codependent_action) return { ...all, programs: { codependent: children } };
  if (children.length === 1) return { ...all, programs: only };
  return { ...all, programs: parallel_action ? { parallel: children } : { serial: children } };
}

function ofRun(run: RunAction, log_source: string): Found {
  const helper = isLifecycle(posix.dirname(run.path)) ? run.path.slice(LIFECYCLE_DIR.length + 1) : '';
  if (helper === 'diego-sshd') return { ...NOTHING, ssh: true };
  if (helper === 'healthcheck') return NOTHING;
  return { ...NOTHING, programs: { run: { run, log_source } } };
}

const NOTHING: Found = { downloads: [], ssh: false };

function wrap(found: Found, change: (programs: Joined<Program>) => Joined<Program>): Found {
  return found.programs ? { ...found, programs: change(found.programs) } : found;
}

/** Of a tree with one leaf, the inmost first. */
function wrappersOf(programs: Joined<Program>): NonNullable<RunOrder['wrapped']> {
  if ('try' in programs) return [...wrappersOf(programs.try), 'try'];
  if (!('codependent' in programs)) return [];
  return [...programs.codependent.flatMap(wrappersOf), 'codependent'];
}

const unsupported = (why: string): UnikError => new UnikError('definition_unsupported', `it cannot run here: ${why}`);
