/** What applying a manifest would change, as JSON-patch like entries (CC `space_diff_manifest.rb`). Pure. */
import { megabytesOf, bytesOf, rateText } from './sizes.js';

export interface DiffEntry {
  op: 'add' | 'replace';
  path: string;
  was?: unknown;
  value: unknown;
}

type Fields = Record<string, unknown>;

const PROCESS_KEYS = [
  ...['command', 'instances', 'memory', 'disk-quota', 'log-rate-limit-per-second', 'timeout'],
  ...['health-check-type', 'health-check-http-endpoint', 'health-check-invocation-timeout', 'health-check-interval'],
  ...['readiness-health-check-type', 'readiness-health-check-http-endpoint'],
  ...['readiness-health-check-invocation-timeout', 'readiness-health-check-interval'],
];
const APP_KEYS = [
  'buildpacks',
  'buildpack',
  'stack',
  'docker',
  'env',
  'lifecycle',
  'metadata',
  'features',
  'routes',
  'services',
  'sidecars',
  'processes',
];
const FLAGS = ['no-route', 'random-route', 'default-route'];
/** Lists whose entries are told apart by one of their keys. */
const NAMED: Record<string, string> = { routes: 'route', services: 'name', sidecars: 'name', processes: 'type' };

/** `sent`: applications of the manifest, keys hyphened; `present`: what is there by name, undefined: nothing. */
export function diffManifest(sent: readonly Fields[], present: (name: string) => Fields | undefined): DiffEntry[] {
  return sent.flatMap((app, at) => {
    const now = present(String(app['name']));
    const web = processNamed(now, 'web');
    const diff: DiffEntry[] = now ? [] : [{ op: 'add', path: `/applications/${at}/name`, value: app['name'] }];
    for (const [key, value] of Object.entries(app)) {
      const path = `/applications/${at}/${key}`;
      if (PROCESS_KEYS.includes(key)) {
        // Sizes of a new app are not told, as in CC: the CLI shows them as they stand.
        if (now || !['memory', 'disk-quota'].includes(key)) compare(diff, path, web?.[key], normal(key, value));
      } else if (APP_KEYS.includes(key)) compare(diff, path, now?.[key], normalList(key, value));
      else if (FLAGS.includes(key) && !now) diff.push({ op: 'add', path, value });
    }
    return diff;
  });
}

function processNamed(app: Fields | undefined, type: string): Fields | undefined {
  const list = app?.['processes'];
  return Array.isArray(list) ? hyphened((list as Fields[]).find((one) => one['type'] === type)) : undefined;
}

const hyphened = (one: Fields | undefined): Fields | undefined =>
  one && Object.fromEntries(Object.entries(one).map(([key, value]) => [key.replaceAll('_', '-'), value]));

function compare(diff: DiffEntry[], path: string, was: unknown, value: unknown): void {
  if (was === undefined) diff.push({ op: 'add', path, value });
  else if (Array.isArray(value) && Array.isArray(was)) compareLists(diff, path, was as unknown[], value as unknown[]);
  else if (isFields(value) && isFields(was)) {
    for (const [key, one] of Object.entries(value)) compare(diff, `${path}/${key}`, was[key], one);
  } else if (textOf(was) !== textOf(value)) {
    diff.push({ op: 'replace', path, was, value });
  }
}

/** A number and its text are the same in a manifest. */
const textOf = (value: unknown): string =>
  JSON.stringify(typeof value === 'number' || typeof value === 'boolean' ? String(value) : value);

/** Entries with a name are compared with those of the same name; others as a whole. */
function compareLists(diff: DiffEntry[], path: string, was: readonly unknown[], value: readonly unknown[]): void {
  const key = NAMED[path.split('/').at(-1) ?? ''];
  if (key === undefined) {
    if (JSON.stringify(was) !== JSON.stringify(value)) diff.push({ op: 'replace', path, was, value });
    return;
  }
  const nameOf = (one: unknown): unknown => (isFields(one) ? one[key] : one);
  value.forEach((one, at) => {
    const before = was.find((other) => nameOf(other) === nameOf(one));
    if (before === undefined) diff.push({ op: 'add', path: `${path}/${at}`, value: one });
    else if (isFields(before) && isFields(one)) compare(diff, `${path}/${at}`, hyphened(before), one);
  });
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Sizes in the unit that is shown. */
function normal(key: string, value: unknown): unknown {
  if (key === 'memory' || key === 'disk-quota') {
    const mb = megabytesOf(String(value));
    return mb === undefined ? value : `${mb}M`;
  }
  if (key === 'log-rate-limit-per-second') {
    const bytes = bytesOf(String(value));
    return bytes === undefined ? String(value) : rateText(bytes);
  }
  return value;
}

function normalList(key: string, value: unknown): unknown {
  if (key !== 'processes' || !Array.isArray(value)) return value;
  return (value as Fields[]).map((one) =>
    Object.fromEntries(Object.entries(one).map(([name, own]) => [name, normal(name, own)])),
  );
}
