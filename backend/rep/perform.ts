/** POST /work: keeps room for what the auction placed here (rep `auction_cell_rep.go` Perform). Answers at once. */
import { messageOf, UnikError } from '../../core/errors.js';
import { describeIssues } from '../../core/describe-issues.js';
import type { Room } from '../cell/containers.js';
import type { Demand, Reservation } from '../cell/model.js';
import { traceOf, type RepHandler } from './face.js';
import { demandOf, workSchema, type Work, type WorkLrp, type WorkTask } from './work.js';

/** Why something is not placed; for the log, since Diego carries no text of it. */
export type Rejection = 'evacuating' | 'unknown rootfs' | 'no room' | 'guid in use';

export interface Plan {
  /** In the order in which they are to be reserved. */
  placed: { reservation: Reservation; raw: unknown }[];
  rejected: { raw: unknown; kind: 'lrp' | 'task'; why: Rejection }[];
}

export interface PlanInput {
  work: Work;
  room: Room;
  stacks: readonly string[];
  evacuating: boolean;
  isKnown: (guid: string) => boolean;
  newGuid: () => string;
  trace: string;
}

/** Who gets the room that is left: LRPs, the largest first, then tasks as they came. Pure. */
export function plan({ work, room, stacks, evacuating, isKnown, newGuid, trace }: PlanInput): Plan {
  const placed: Plan['placed'] = [];
  const rejected: Plan['rejected'] = [];
  const left = { ...room };
  const guids = new Set<string>();

  function consider(found: WorkLrp | WorkTask, reservation: Reservation): void {
    const { kind, guid, demand } = reservation;
    const why = evacuating
      ? 'evacuating'
      : !hasRootfs(demand.rootfs, stacks)
        ? 'unknown rootfs'
        : guids.has(guid) || isKnown(guid)
          ? 'guid in use'
          : !take(left, demand)
            ? 'no room'
            : undefined;
    if (why) return void rejected.push({ raw: found.raw, kind, why });
    guids.add(guid);
    placed.push({ reservation, raw: found.raw });
  }

  for (const found of [...work.LRPs].sort((a, b) => b.item.MemoryMB - a.item.MemoryMB)) {
    const { process_guid, index, domain } = found.item;
    const lrp = { process_guid, index, domain };
    consider(found, { kind: 'lrp', guid: newGuid(), demand: demandOf(found.item), trace, lrp });
  }
  for (const found of work.Tasks) {
    const { TaskGuid: guid, Domain: domain } = found.item;
    consider(found, { kind: 'task', guid, demand: demandOf(found.item), trace, domain });
  }
  return { placed, rejected };
}

/** `preloaded:STACK` or `preloaded+layer:STACK?layer=...` (rep `rootfs_providers.go`). */
export function hasRootfs(rootfs: string, stacks: readonly string[]): boolean {
  const [, stack] = /^preloaded(?:\+layer)?:([^?]*)/.exec(rootfs) ?? [];
  return stack !== undefined && stacks.includes(stack);
}

function take(left: Room, { memory_mb, disk_mb }: Demand): boolean {
  if (memory_mb < 0 || disk_mb < 0) return false;
  if (memory_mb > left.memory_mb || disk_mb > left.disk_mb || left.containers < 1) return false;
  left.memory_mb -= memory_mb;
  left.disk_mb -= disk_mb;
  left.containers -= 1;
  return true;
}

export const perform: RepHandler = (face) => (request, response) => {
  const { facts, containers, log } = face;
  const parsed = workSchema.safeParse(request.body);
  if (!parsed.success) throw new UnikError('bad_request', `work: ${describeIssues(parsed.error, 'the document')}`);
  const work = parsed.data;
  if (work.cell_id !== '' && work.cell_id !== facts.cell_id)
    throw new UnikError('internal', `work for cell ${work.cell_id} came to cell ${facts.cell_id}`);
  const { placed, rejected } = plan({
    ...{ work, stacks: facts.stacks, evacuating: face.isEvacuating(), trace: traceOf(request) },
    room: containers.room().available,
    isKnown: (guid) => containers.get(guid) !== undefined,
    newGuid: () => face.newGuid(),
  });
  for (const { reservation, raw } of placed) {
    const { guid, kind } = reservation;
    try {
      containers.reserve(reservation);
    } catch (err) {
      // The host's own view of what fits is the last word.
      log.info({ guid, reason: messageOf(err) }, 'cell.reserve-refused');
      rejected.push({ raw, kind, why: 'no room' });
    }
  }
  log.info(
    { placed: placed.length, rejected: rejected.map(({ why }) => why), trace_id: traceOf(request) },
    'cell.work',
  );
  response.json(reply(rejected, facts.cell_id));
};

/** What could not be placed, as it came. */
function reply(rejected: Plan['rejected'], cell_id: string) {
  const of = (kind: 'lrp' | 'task') => {
    const list = rejected.filter((one) => one.kind === kind).map(({ raw }) => raw);
    return list.length > 0 ? list : null;
  };
  return { LRPs: of('lrp'), Tasks: of('task'), ...(rejected.length > 0 ? { cell_id } : {}) };
}
