import type { Socket } from 'node:net';

/** Each hears what the other says, and goes when the other fails. `open`: those that are still to be destroyed at the end. */
export function leadOn(from: Socket, to: Socket, open: Set<Socket>): void {
  for (const [one, other] of [
    [from, to],
    [to, from],
  ] as const) {
    open.add(one);
    one.on('error', () => other.destroy()).on('close', () => open.delete(one));
    one.pipe(other);
  }
}
