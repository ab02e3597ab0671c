/** Pure: what enable-unik and disable-unik do to an app, or why not. */
import { UnikError } from '../../core/errors.js';
import type { App, Buildpack, Stack } from './shapes.js';

/** Unprefixed, as Cloud Controller takes a prefix only when it is a real domain. */
export const LABEL = 'unik-enabled';
export const PREVIOUS = 'unik-previous-stack';
/** Set by the operator on a stack: the URLs of the daemons or cells that `ENDPOINT` may name, apart by spaces or commas. */
export const ENDPOINTS = 'unik-endpoints';
/** Set by the operator on a stack: its provider, where its name does not say it. */
export const PROVIDER = 'unik-provider';

export type Variables = Readonly<Record<string, string>>;

export interface Change {
  /** What the app's stack is afterwards. */
  stack: string;
  /** Body of PATCH /v3/apps/GUID; undefined: the app stays as it is. */
  patch?: unknown;
  /** Body's `var` of PATCH environment_variables; undefined: they stay. */
  variables?: Readonly<Record<string, string | null>>;
  /** What the user should know before it is staged. */
  warnings: string[];
}

export interface EnableInput {
  app: App;
  variables: Variables;
  stacks: readonly Stack[];
  /** Rows of the buildpacks that the app names. */
  buildpacks: readonly Buildpack[];
  stack: string;
  endpoint?: string;
  guest?: string;
}

export const isUnik = (stack: string | null | undefined): boolean => /^unik(-[a-z0-9-]+)?$/.test(stack ?? '');

/** Throws lifecycle_unsuitable, stack_missing, endpoint_refused. */
export function decideEnable(input: EnableInput): Change {
  const { app, stack, endpoint, guest } = input;
  mustBeBuildpackApp(app);
  const row = input.stacks.find(({ name }) => name === stack);
  if (!row) throw stackMissing(stack, input.stacks);
  if (endpoint !== undefined && !endpointsOf(row).includes(endpoint)) {
    throw new UnikError('endpoint_refused', `${endpoint} is not among the endpoints of stack '${stack}'`);
  }
  const now = app.lifecycle.data.stack ?? undefined;
  const wished = { UNIK_ENDPOINT: endpoint ?? null, ...(guest === undefined ? {} : { UNIK_GUEST: guest }) };
  const variables = changes(input.variables, wished);
  const patch = now === stack ? undefined : enablePatch(stack, now);
  return {
    stack,
    ...(patch === undefined ? {} : { patch }),
    ...(variables === undefined ? {} : { variables }),
    warnings: unsuited(app, input.buildpacks, stack),
  };
}

/** From one unik stack to another, the stack to go back to is the one before both. */
function enablePatch(stack: string, before: string | undefined): unknown {
  const annotations = before === undefined || isUnik(before) ? {} : { [PREVIOUS]: before };
  return { lifecycle: { data: { stack } }, metadata: { labels: { [LABEL]: 'true' }, annotations } };
}

/** Undefined: unikernels are not enabled for this app. Throws lifecycle_unsuitable, stack_missing. */
export function decideDisable(input: {
  app: App;
  variables: Variables;
  stacks: readonly Stack[];
  buildpacks: readonly Buildpack[];
}): Change | undefined {
  const { app, stacks } = input;
  mustBeBuildpackApp(app);
  const now = app.lifecycle.data.stack ?? undefined;
  const variables = changes(input.variables, { UNIK_ENDPOINT: null, UNIK_GUEST: null });
  const marked = LABEL in app.metadata.labels || PREVIOUS in app.metadata.annotations;
  if (!isUnik(now) && !marked) return undefined;
  const unmark = { labels: { [LABEL]: null }, annotations: { [PREVIOUS]: null } };
  const rest = variables === undefined ? {} : { variables };
  // A push with another stack came between: only our marks are left.
  if (!isUnik(now)) return { stack: now ?? '', patch: { metadata: unmark }, ...rest, warnings: [] };
  const before = app.metadata.annotations[PREVIOUS] ?? undefined;
  const stack = containerStack(before, stacks);
  const lost = before === undefined || before === stack ? [] : [`Stack '${before}', which it had before, is gone.`];
  const warnings = [...lost, ...unsuited(app, input.buildpacks, stack)];
  return { stack, patch: { lifecycle: { data: { stack } }, metadata: unmark }, ...rest, warnings };
}

/** The stack of before, else the platform's default, else the newest cflinuxfs. */
function containerStack(before: string | undefined, stacks: readonly Stack[]): string {
  const names = stacks.map(({ name }) => name).filter((name) => !isUnik(name));
  if (before !== undefined && names.includes(before)) return before;
  const byDefault = stacks.find((row) => row.default === true && !isUnik(row.name))?.name;
  const newest = names
    .filter((name) => /^cflinuxfs\d+$/.test(name))
    .sort((a, b) => Number(a.slice('cflinuxfs'.length)) - Number(b.slice('cflinuxfs'.length)))
    .at(-1);
  const stack = byDefault ?? newest ?? names[0];
  if (stack === undefined) throw new UnikError('stack_missing', 'this platform has no stack for containers');
  return stack;
}

function mustBeBuildpackApp({ name, lifecycle }: App): void {
  if (lifecycle.type === 'buildpack') return;
  const kind = lifecycle.type === 'docker' ? 'a Docker image' : `staged by lifecycle '${lifecycle.type}'`;
  throw new UnikError(
    'lifecycle_unsuitable',
    `App '${name}' is ${kind}: only an app staged by buildpacks has a unikernel`,
  );
}

function stackMissing(stack: string, stacks: readonly Stack[]): UnikError {
  const there = stacks.map(({ name }) => name).filter(isUnik);
  const list = there.length > 0 ? `it has ${there.join(', ')}` : 'it has no unikernel cells';
  return new UnikError('stack_missing', `Stack '${stack}' does not exist on this platform: ${list}`);
}

export function endpointsOf(row: Stack): string[] {
  return (row.metadata.annotations[ENDPOINTS] ?? '')
    .split(/[\s,]+/)
    .filter((text) => URL.canParse(text))
    .map((text) => new URL(text).origin);
}

/** What of the wish is not so yet. */
function changes(
  now: Variables,
  wish: Readonly<Record<string, string | null>>,
): Readonly<Record<string, string | null>> | undefined {
  const other = Object.entries(wish).filter(([name, value]) => (now[name] ?? null) !== value);
  return other.length === 0 ? undefined : Object.fromEntries(other);
}

/** A buildpack of the platform fits a stack when a row says so, or a row names no stack; one from a URL may fit any. */
function unsuited(app: App, rows: readonly Buildpack[], stack: string): string[] {
  return (app.lifecycle.data.buildpacks ?? [])
    .filter((name) => !name.includes('://'))
    .filter((name) => !rows.some((row) => row.name === name && (row.stack ?? stack) === stack))
    .map(
      (name) =>
        `Buildpack '${name}' is not offered for stack '${stack}', so staging will be refused. ` +
        `Push with another one: 'cf push ${app.name} -b BUILDPACK'.`,
    );
}
