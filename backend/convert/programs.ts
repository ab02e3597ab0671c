import { posix } from 'node:path';
import type { Joined } from '../../executor/model.js';
import type { Action } from '../../protos/generated.js';
import type { RunOrder } from '../cell/model.js';
import { commonTimeout, findPrograms, soleProgram, type Found, type Program } from './action.js';
import type { Env } from './env.js';
import { leavesOf, mapLeaves } from './joined.js';
import { launchOf } from './launch.js';

/** What of an order says which programs run. */
export type ProgramOrder = Pick<RunOrder, 'launch' | 'wrapped' | 'programs' | 'timeout_ms'> & {
  /** The first. */
  run: Program['run'];
};

export interface Around {
  container: Env;
  process_type?: string | undefined;
}

/** The one program of a unikernel. Throws definition_unsupported for several. */
export function oneProgram(found: Found, { container, process_type }: Around): ProgramOrder {
  const { run, log_source, wrapped, timeout_ms } = soleProgram(found);
  const launch = launchOf(run, { log_source, container, process_type });
  return { run, launch, wrapped, ...(timeout_ms === undefined ? {} : { timeout_ms }) };
}

/**
 * All programs, where the image is composed at start: first those of the setup, then action and sidecars side by side,
 * of which each that fails ends the others (executor `transformer.go`).
 */
export function allPrograms(
  { setup, action, sidecars }: { setup?: Found; action: Found; sidecars?: readonly Found[] },
  around: Around,
): ProgramOrder {
  const beside = [action, ...(sidecars ?? [])].flatMap(({ programs }) => programs ?? []);
  const [only] = beside;
  const last: Joined<Program> | undefined = beside.length > 1 ? { joined: beside } : only;
  // Without a program of its own it is refused as such.
  if (!action.programs || !last) return oneProgram(action, around);
  const programs: Joined<Program> = setup?.programs ? { serial: [setup.programs, last] } : last;
  if ('run' in programs) return oneProgram(action, around);
  const [first] = leavesOf(action.programs);
  if (!first) return oneProgram(action, around);
  const timeout_ms = commonTimeout(programs);
  const { container } = around;
  return {
    run: first.run,
    launch: { ...launchOf(first.run, { log_source: first.log_source, ...around }), env: container },
    programs: mapLeaves(programs, ({ run, log_source }) => launchOf(run, { log_source, container: [] })),
    ...(timeout_ms === undefined ? {} : { timeout_ms }),
  };
}

/** Looked at from outside as well as from inside. */
const OUTSIDE = ['healthcheck', 'nc', 'true'];

/**
 * The monitor as programs of the machine; undefined for one that is as good from outside, and for Cloud Foundry's
 * health check, which no image has.
 */
export function innerMonitor(monitor: Action | undefined, log_source: string): RunOrder['monitor'] {
  const { programs } = findPrograms(monitor, log_source);
  const names = programs ? leavesOf(programs).map(({ run }) => posix.basename(run.path)) : [];
  if (!programs || names.includes('healthcheck') || names.every((name) => OUTSIDE.includes(name))) return undefined;
  return mapLeaves(programs, ({ run, log_source: source }) => launchOf(run, { log_source: source, container: [] }));
}
