/** Takes the steps that `decide` gave: speaks to the BBS and lets the containers follow its answers. */
import { messageOf, toUnikError, UnikError } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import type { Messages } from '../../protos/generated.js';
import type { Containers } from '../cell/containers.js';
import type { Container, LrpIdentity, RunOrder } from '../cell/model.js';
import { BbsError, HttpStatus, type Bbs, type BbsErrorType, type CallOptions } from '../wire/bbs.js';
import { goneStep, refusalStep, type After, type Step } from './decide.js';
import type { Speaker, Tell } from './tell.js';

/** Makes run orders. Throws a UnikError whose message tells the user why this cannot run here. */
export interface Convert {
  lrp(desired: Messages['models.DesiredLRP'], lrp: LrpIdentity, guid: string): RunOrder;
  task(definition: Messages['models.TaskDefinition'], guid: string): RunOrder;
}

export interface PerformDeps {
  cell: Speaker;
  bbs: Bbs;
  containers: Containers;
  convert: Convert;
  now: () => number;
  log: Log;
  /** Told to the user of an LRP that is refused before it has an order of its own. */
  refused: (desired: Messages['models.DesiredLRP'], lrp: LrpIdentity, reason: string) => void;
}

/** `owed`: the BBS could not be reached, so this is still to be told. */
export type Verdict = 'settled' | 'owed';

/** The BBS answers so when its database fails it: the same call may succeed later. */
const PASSING: readonly BbsErrorType[] = ['UnknownError', 'Deadlock', 'Timeout', 'Unrecoverable'];
/** So long an end is offered to a BBS that answers with such errors; then it is forgotten, as Diego's rep does at once. */
const PATIENCE_MS = 5 * 60_000;

/** What an older BBS, which answers 404, is told instead. */
const OLDER = { start: 'start_r0', evacuate_running: 'evacuate_running_r0' } as const;

export async function perform(step: Step, guid: string, deps: PerformDeps, options: CallOptions): Promise<Verdict> {
  const { bbs, log } = deps;
  const { call } = step.tell;
  try {
    const reply = await send(bbs, step.tell, options);
    const kept = 'keep_container' in reply && reply.keep_container;
    return kept ? 'settled' : await follow(step.agreed, guid, deps, options);
  } catch (err) {
    if (!(err instanceof BbsError)) {
      log.warn({ guid, call, err: toUnikError(err) }, 'bbs.call-failed');
      return 'owed';
    }
    const after = step.answers?.[err.type] ?? (PASSING.includes(err.type) ? impatient(step, guid, deps) : step.refused);
    log.info({ guid, call, type: err.type, reason: err.message }, 'bbs.refused');
    return typeof after === 'string' ? follow(after, guid, deps, options) : perform(after, guid, deps, options);
  }
}

async function send(bbs: Bbs, tell: Tell, options: CallOptions) {
  try {
    return await bbs.call(tell.call, tell.request, options);
  } catch (err) {
    const unknown = err instanceof HttpStatus && err.status === 404;
    if (!unknown || (tell.call !== 'start' && tell.call !== 'evacuate_running')) throw err;
    return await bbs.call(OLDER[tell.call], tell.request, options);
  }
}

function impatient(step: Step, guid: string, { containers, now }: PerformDeps): After {
  const ended = containers.get(guid)?.completed_at;
  return ended !== undefined && now() - ended > PATIENCE_MS ? step.refused : 'nothing';
}

async function follow(after: After, guid: string, deps: PerformDeps, options: CallOptions): Promise<Verdict> {
  switch (after) {
    case 'nothing':
      return 'settled';
    case 'stop':
      deps.containers.stop(guid);
      return 'settled';
    case 'delete':
      await given(deps.containers.delete(guid), options.signal);
      return 'settled';
    case 'run':
      return run(guid, deps, options);
  }
}

/** Waits for `end`, but not beyond our own: a machine may take long, and we may be told to go. */
function given(end: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = (): void => resolve();
    signal?.addEventListener('abort', leave, { once: true });
    end.then(resolve, reject).finally(() => signal?.removeEventListener('abort', leave));
  });
}

async function run(guid: string, deps: PerformDeps, options: CallOptions): Promise<Verdict> {
  const { containers, cell, log } = deps;
  const container = containers.get(guid);
  if (container?.state !== 'reserved') return 'settled';
  let order: RunOrder;
  try {
    order = await orderOf(container, deps, options);
  } catch (err) {
    if (err instanceof BbsError && err.type === 'ResourceNotFound')
      return perform(goneStep(cell, container), guid, deps, options);
    if (err instanceof Refusal) return perform(refusalStep(cell, container, err.message), guid, deps, options);
    // The reservation lives for a minute; until then it is asked again.
    log.warn({ guid, reason: messageOf(err) }, 'cell.order-not-fetched');
    return err instanceof BbsError ? 'settled' : 'owed';
  }
  try {
    containers.run(guid, order);
  } catch (err) {
    // It was deleted, or is running by now: the next look sees which.
    if (err instanceof UnikError && (err.code === 'not_found' || err.code === 'conflict')) return 'settled';
    return perform(refusalStep(cell, container, messageOf(err)), guid, deps, options);
  }
  return 'settled';
}

/** This cell cannot run it; the message says why. */
class Refusal extends Error {}

async function orderOf({ reservation }: Container, deps: PerformDeps, options: CallOptions): Promise<RunOrder> {
  const { bbs, convert } = deps;
  const { guid } = reservation;
  if (reservation.kind === 'task') {
    const { task } = await bbs.call('task', { task_guid: guid }, options);
    const definition = task?.task_definition;
    if (!definition) throw new Refusal(`the BBS has no definition of task ${guid}`);
    return convertOr(() => convert.task(definition, guid));
  }
  const { lrp } = reservation;
  const { desired_lrp } = await bbs.call('desired_lrp', { process_guid: lrp.process_guid }, options);
  if (!desired_lrp) throw new Refusal(`the BBS has no definition of LRP ${lrp.process_guid}`);
  return convertOr(
    () => convert.lrp(desired_lrp, lrp, guid),
    (reason) => deps.refused(desired_lrp, lrp, reason),
  );
}

function convertOr(make: () => RunOrder, told?: (reason: string) => void): RunOrder {
  try {
    return make();
  } catch (err) {
    const reason = messageOf(err);
    told?.(reason);
    throw new Refusal(reason, { cause: err });
  }
}
