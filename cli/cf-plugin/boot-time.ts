/** Pure: how long machines took, from what their cells said into the application's log. */

export interface CellLine {
  /** Nanoseconds since 1970. */
  at: bigint;
  text: string;
  /** Tag process_instance_id, where the line has it. */
  instance?: string;
}

const CREATED = / successfully created container for instance (\S+)$/;
const HEALTHY = 'Container became healthy';

/** Milliseconds from power on to healthy, by instance guid, of the machines whose lines are all there. */
export function bootTimes(lines: readonly CellLine[]): Map<string, number> {
  const created = new Map<string, bigint>();
  const times = new Map<string, number>();
  for (const { at, text, instance } of [...lines].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))) {
    const guid = CREATED.exec(text)?.[1];
    if (guid !== undefined) created.set(guid, at);
    if (text !== HEALTHY || instance === undefined || times.has(instance)) continue;
    const from = created.get(instance);
    if (from !== undefined) times.set(instance, Number((at - from) / 1_000_000n));
  }
  return times;
}
