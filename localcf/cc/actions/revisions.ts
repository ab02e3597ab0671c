/** Revisions: what of an app decides how it runs, kept whenever it starts with something else (CC `revision_resolver.rb`). */
import type { Cc } from '../cc.js';
import { noMetadata, type App, type Revision } from '../model.js';
import type { Tx } from '../store.js';

const KEPT = 100;

type Content = Pick<Revision, 'droplet_guid' | 'environment' | 'commands' | 'sidecars'>;

/** The revision that the app starts with now; undefined: they are switched off, or it has no droplet. */
export function reviseApp({ store }: Cc, tx: Tx, app: App): Revision | undefined {
  if (!app.features.revisions || app.droplet_guid === null) return undefined;
  const processes = store.process.filter((one) => one.app_guid === app.guid);
  const content: Content = {
    droplet_guid: app.droplet_guid,
    environment: app.environment,
    commands: Object.fromEntries(processes.map(({ type, command }) => [type, command])),
    sidecars: store.sidecar
      .filter((one) => one.app_guid === app.guid)
      .map(({ name, command, process_types, memory_in_mb }) => ({ name, command, process_types, memory_in_mb })),
  };
  const mine = store.revision.filter((one) => one.app_guid === app.guid);
  const last = mine.at(-1);
  const reasons = last ? changesOf(last, content) : ['Initial revision.'];
  if (last && reasons.length === 0) return last;
  for (const { guid } of mine.slice(0, -KEPT)) tx.remove('revision', guid);
  const version = (last?.version ?? 0) + 1;
  return tx.insert('revision', {
    ...content,
    ...{ app_guid: app.guid, version, description: reasons.join(' '), metadata: noMetadata() },
  });
}

/** Why a new revision is made, in CC's words; empty: it is the same. */
export function changesOf(last: Content, now: Content): string[] {
  const reasons: string[] = [];
  if (last.droplet_guid !== now.droplet_guid) reasons.push('New droplet deployed.');
  if (!same(last.environment, now.environment)) reasons.push('New environment variables deployed.');
  for (const type of new Set([...Object.keys(last.commands), ...Object.keys(now.commands)])) {
    const [before, after] = [last.commands[type] ?? null, now.commands[type] ?? null];
    if (before === after) continue;
    const what = after === null ? 'removed' : before === null ? 'added' : 'updated';
    reasons.push(`Custom start command ${what} for '${type}' process.`);
  }
  if (!same(last.sidecars, now.sidecars)) reasons.push('Sidecars updated.');
  return reasons;
}

/** Order of names does not matter. */
function same(a: object, b: object): boolean {
  const text = (value: object): string =>
    JSON.stringify(
      Array.isArray(value)
        ? value
        : Object.entries(value as Record<string, unknown>).sort(([x], [y]) => (x < y ? -1 : 1)),
    );
  return text(a) === text(b);
}
