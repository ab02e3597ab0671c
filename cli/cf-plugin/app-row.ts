/** Pure: a line of `cf unik-apps`. */
import { bytesText, table } from '../render.js';
import { bootTimes, type CellLine } from './boot-time.js';
import { isUnik, LABEL, PROVIDER } from './decide.js';
import type { App, Droplet, Stack } from './shapes.js';

export interface AppRow {
  name: string;
  state: string;
  /** Where it runs from its next staging on. */
  stack: string;
  /** What its droplet was staged for; null: it has none. */
  droplet_stack: string | null;
  guest: string | null;
  provider: string | null;
  image: { digest: string; bytes: number } | null;
  instances: { running: number; wanted: number };
  /** Milliseconds from power on to healthy, of the slowest of the instances that run. */
  boot_ms: number | null;
  endpoint: string | null;
}

/** Runs as unikernels, or will, or did until its next staging. */
export const concernsUnik = (app: App, droplet: Droplet | undefined): boolean =>
  isUnik(app.lifecycle.data.stack) || isUnik(droplet?.stack) || LABEL in app.metadata.labels;

export interface RowInput {
  app: App;
  droplet: Droplet | undefined;
  stacks: readonly Stack[];
  instances: readonly { state: string; instance_guid?: string | null | undefined }[];
  lines: readonly CellLine[];
  variables: Readonly<Record<string, string>>;
}

export function appRow({ app, droplet, stacks, instances, lines, variables }: RowInput): AppRow {
  const stack = app.lifecycle.data.stack ?? '';
  const made = isUnik(droplet?.stack) ? imageOf(droplet) : undefined;
  const running = instances.filter(({ state }) => state === 'RUNNING');
  const times = bootTimes(lines);
  const boots = running.flatMap(({ instance_guid }) => times.get(instance_guid ?? '') ?? []);
  return {
    name: app.name,
    state: app.state.toLowerCase(),
    stack,
    droplet_stack: droplet?.stack ?? null,
    guest: made?.guest ?? variables['UNIK_GUEST'] ?? null,
    provider: providerOf(stack, stacks),
    image: made ? { digest: made.digest, bytes: made.bytes } : null,
    instances: { running: running.length, wanted: instances.length },
    boot_ms: boots.length === 0 ? null : Math.max(...boots),
    endpoint: variables['UNIK_ENDPOINT'] ?? null,
  };
}

/** `unik-aws` says it; of `unik` the operator's annotation does. */
function providerOf(stack: string, stacks: readonly Stack[]): string | null {
  if (!isUnik(stack)) return null;
  const row = stacks.find(({ name }) => name === stack);
  return row?.metadata.annotations[PROVIDER] ?? (stack === 'unik' ? 'default' : stack.slice('unik-'.length));
}

/**
 * The unik buildpack names what it made in its version, as a build of the same version: `0.1.0+GUEST.DIGEST.BYTES`. It is
 * the one thing of a buildpack that every lifecycle carries to Cloud Controller and every Cloud Controller shows.
 */
export function imageOf(droplet: Droplet | undefined): { guest: string; digest: string; bytes: number } | undefined {
  for (const { version } of droplet?.buildpacks ?? []) {
    const [, guest, digest, bytes] = /\+([a-z0-9-]+)\.([0-9a-f]{12,64})\.(\d{1,15})$/.exec(version ?? '') ?? [];
    if (guest !== undefined && digest !== undefined) return { guest, digest, bytes: Number(bytes) };
  }
  return undefined;
}

const HEADER = ['name', 'state', 'stack', 'guest', 'provider', 'instances', 'image', 'size', 'boot'];

export function rowsText(rows: readonly AppRow[]): string {
  return table(
    HEADER,
    rows.map((row) => [
      row.name,
      row.state,
      stackText(row),
      row.guest ?? '-',
      row.provider ?? '-',
      `${row.instances.running}/${row.instances.wanted}`,
      row.image?.digest.slice(0, 12) ?? '-',
      row.image ? bytesText(row.image.bytes) : '-',
      row.boot_ms === null ? '-' : `${(row.boot_ms / 1000).toFixed(1)} s`,
    ]),
  );
}

function stackText({ stack, droplet_stack }: AppRow): string {
  if (droplet_stack === null) return `${stack} (not staged)`;
  return droplet_stack === stack ? stack : `${stack} (droplet: ${droplet_stack})`;
}
