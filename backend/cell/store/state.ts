import type { Instance } from '../../../executor/model.js';
import type { Container, NetInfo, Outcome, Reservation, RunOrder } from '../model.js';
import type { EndedContainer, Words } from './words.js';

/** What is kept of a container beside the executor's record of its machine. JSON. */
export interface ContainerRecord {
  schema: 1;
  reservation: Reservation;
  reserved_at: number;
  order?: RunOrder;
  stopped: boolean;
  /** Its time was over, and so it was ended. */
  timed_out?: boolean;
  /** When the action of a staging task began. */
  began_at?: number;
  /** It ended without a machine. */
  ended?: { at: number; outcome: Outcome };
}

/** The machine's end with all that is known beside; undefined as long as it has not ended. */
export function endOf(record: ContainerRecord, instance: Instance | undefined): EndedContainer | undefined {
  const { order, reservation, stopped, timed_out = false } = record;
  const exit = instance?.phase === 'completed' ? instance.exit : undefined;
  return order && instance && exit && { order, reservation, exit, instance, stopped, timed_out };
}

/** The container as Diego sees it. Pure. */
export function containerOf(
  record: ContainerRecord,
  instance: Instance | undefined,
  { outcome, address }: { outcome: Words['outcome']; address: string },
): Container {
  const { reservation, order, stopped, reserved_at, began_at } = record;
  const net = instance && order && netOf(instance, order, address);
  const since = began_at ?? (reservation.kind === 'task' ? instance?.started_at : instance?.running_at);
  const base = {
    ...{ reservation, stopped, reserved_at },
    ...(order ? { order } : {}),
    ...(net ? { net } : {}),
    ...(since === undefined ? {} : { running_at: since }),
  };
  if (record.ended) {
    const { at } = record.ended;
    return { ...base, state: 'completed', routable: false, outcome: record.ended.outcome, completed_at: at };
  }
  if (!order) return { ...base, state: 'reserved', routable: false };
  if (order.staging) return { ...base, state: began_at === undefined ? 'initializing' : 'running', routable: false };
  if (!instance || instance.phase === 'reserved' || instance.phase === 'initializing') {
    return { ...base, state: 'initializing', routable: false };
  }
  const end = endOf(record, instance);
  if (!end) return { ...base, state: instance.phase, routable: instance.phase === 'running' && instance.ready };
  return { ...base, state: 'completed', routable: false, outcome: outcome(end), completed_at: end.exit.at };
}

/** Address and ports, of those that were ordered, as long as there is a machine. */
function netOf({ handle, phase }: Instance, order: RunOrder, address: string): NetInfo | undefined {
  if (!handle || phase === 'completed') return undefined;
  return whereOf(handle, order.ports, address);
}

/** `address`: that of this cell, which stands in for a machine's own where it has none. */
export function whereOf(
  where: { ports: readonly { guest_port: number; host_port: number }[]; address?: string | undefined },
  ports: readonly number[],
  address: string,
): NetInfo {
  return {
    address,
    ports: ports.flatMap((container_port) => {
      const mapping = where.ports.find(({ guest_port }) => guest_port === container_port);
      return mapping ? [{ container_port, host_port: mapping.host_port }] : [];
    }),
    instance_address: where.address ?? address,
  };
}

/** True when somebody who looks at the container has to look again. */
export function hasChanged(before: Container, after: Container): boolean {
  return before.state !== after.state || before.routable !== after.routable || before.stopped !== after.stopped;
}
