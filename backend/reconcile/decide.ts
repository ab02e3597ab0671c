/**
 * What a cell does about one guid: container, mode and what the BBS was seen to hold in; what to tell the BBS out.
 * Pure. Follows Diego's rep (`generator/internal/{ordinary_lrp,evacuation_lrp,task}_processor.go`,
 * `generator/generator.go`), except where docs/adr/0009-keep-until-told.md says why not.
 */
import type { Container, LrpIdentity, NetInfo } from '../cell/model.js';
import type { BbsErrorType } from '../wire/bbs.js';
import * as say from './tell.js';

export type Mode = 'ordinary' | 'evacuating';

/** What the BBS holds for this cell under one guid, from a bulk pass. */
export interface Held {
  /** An ordinary or suspect ActualLRP. */
  lrp?: LrpIdentity;
  /** The row of an ordinary one: what it says already need not be told again. */
  row?: say.Row;
  evacuating?: LrpIdentity;
  task?: boolean;
}

/** What becomes of the container. `run`: its order is fetched and it starts. */
export type After = 'nothing' | 'run' | 'stop' | 'delete';

/** One call, and what follows from its answer. No answer: all stays as it is and the step is tried again. */
export interface Step {
  tell: say.Tell;
  /** The BBS agreed. (A reply that says keep_container leaves the container, whatever stands here.) */
  agreed: After;
  /** The BBS refused for good with another answer than those in `answers`. */
  refused: After;
  answers?: Partial<Record<BbsErrorType, After | Step>>;
}

export const TASK_LOST = 'task container does not exist';

export interface View extends say.Speaker {
  guid: string;
  mode: Mode;
  container: Container | undefined;
  net: NetInfo | undefined;
  /** Undefined: nobody looked; we were woken by the container. */
  held: Held | undefined;
}

/** Steps to take in order; usually none or one. */
export function decide(view: View): Step[] {
  const { container } = view;
  if (!container) return view.held ? leftovers(view, view.guid, view.held) : [];
  // It is ending already; what there is to say is said at its end.
  if (container.stopped && container.state !== 'completed') return [];
  const { reservation } = container;
  const { guid } = reservation;
  const step =
    reservation.kind === 'task'
      ? taskStep(view, guid, container)
      : (view.mode === 'evacuating' ? evacuatingStep : ordinaryStep)(view, { guid, lrp: reservation.lrp }, container);
  return step ? [step] : [];
}

function ordinaryStep(view: View, subject: say.Subject, container: Container): Step | undefined {
  const row = view.held?.row;
  switch (container.state) {
    case 'reserved':
    case 'initializing':
    case 'created':
      if (container.state !== 'reserved' && row?.state === 'CLAIMED') return undefined;
      return {
        tell: say.claim(view, subject),
        agreed: container.state === 'reserved' ? 'run' : 'nothing',
        refused: 'nothing',
        answers: { ActualLRPCannotBeClaimed: 'delete', ResourceNotFound: 'delete' },
      };
    case 'running':
      if (!view.net || (row && say.isStarted(row, say.running(view, subject, container, view.net)))) return undefined;
      return {
        tell: say.start(view, subject, container, view.net),
        agreed: 'nothing',
        refused: 'nothing',
        answers: { ActualLRPCannotBeStarted: 'stop' },
      };
    case 'completed':
      return ended(
        container.stopped ? say.remove(view, subject) : say.crash(view, subject, container.outcome?.reason ?? ''),
      );
  }
}

function evacuatingStep(view: View, subject: say.Subject, container: Container): Step | undefined {
  switch (container.state) {
    case 'reserved':
    case 'initializing':
    case 'created':
      return ended(say.evacuateClaimed(view, subject));
    case 'running':
      return view.net && ended(say.evacuateRunning(view, subject, container, view.net));
    case 'completed':
      return ended(
        container.stopped
          ? say.evacuateStopped(view, subject)
          : say.evacuateCrashed(view, subject, container.outcome?.reason ?? ''),
      );
  }
}

function taskStep(cell: View, guid: string, container: Container): Step | undefined {
  if (container.state !== 'completed') {
    if (container.state !== 'reserved' && cell.held?.task) return undefined;
    return {
      tell: say.startTask(cell, guid),
      // Also when the BBS says that it runs here already: a repeated call whose first answer was lost says so too.
      agreed: container.state === 'reserved' ? 'run' : 'nothing',
      refused: 'nothing',
      answers: { InvalidStateTransition: 'delete', ResourceNotFound: 'delete', RunningOnDifferentCell: 'delete' },
    };
  }
  const outcome = container.outcome ?? { failed: true, reason: TASK_LOST, retryable: false };
  if (outcome.failed && outcome.retryable) return ended(say.rejectTask(guid, outcome.reason));
  const unread = !outcome.failed && outcome.result === undefined && container.order?.result_file;
  const told = unread ? { failed: true, reason: 'failed to fetch result' } : outcome;
  const invalid = { failed: true, reason: 'invalid state transition' };
  return {
    ...ended(say.completeTask(cell, guid, told)),
    answers: { InvalidStateTransition: ended(say.completeTask(cell, guid, invalid)) },
  };
}

/** The BBS believes in something that is not here. */
function leftovers(cell: say.Speaker, guid: string, held: Held): Step[] {
  const steps: Step[] = [];
  if (held.lrp) steps.push(only(say.remove(cell, { guid, lrp: held.lrp })));
  if (held.evacuating) steps.push(only(say.removeEvacuating(cell, { guid, lrp: held.evacuating })));
  if (held.task) steps.push(only(say.completeTask(cell, guid, { failed: true, reason: TASK_LOST, result: TASK_LOST })));
  return steps;
}

/** The run order could not be made: what this cell cannot run is a crash that tells the reason, a task's failure. */
export function refusalStep(cell: say.Speaker, { reservation }: Container, reason: string): Step {
  const { guid } = reservation;
  return ended(
    reservation.kind === 'lrp'
      ? say.crash(cell, { guid, lrp: reservation.lrp }, reason)
      : say.completeTask(cell, guid, { failed: true, reason }),
  );
}

/** What was desired is gone: nobody waits for it any more. */
export function goneStep(cell: say.Speaker, { reservation }: Container): Step {
  const { guid } = reservation;
  return ended(
    reservation.kind === 'lrp'
      ? say.remove(cell, { guid, lrp: reservation.lrp })
      : say.completeTask(cell, guid, { failed: true, reason: TASK_LOST }),
  );
}

function ended(tell: say.Tell): Step {
  return { tell, agreed: 'delete', refused: 'delete' };
}

function only(tell: say.Tell): Step {
  return { tell, agreed: 'nothing', refused: 'nothing' };
}
