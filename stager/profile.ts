import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { UnikError } from '../core/errors.js';
import { run } from '../core/process.js';
import { APP_DIR } from '../executor/images/base.js';
import type { ImageFinding } from '../executor/images/image.js';
import { DEPS_DIR } from './supplied.js';

export interface ProfileOptions {
  /** The application on this host, and the deps directory where there is one. */
  appDir: string;
  depsDir?: string;
  /** PATH and library path that the image will have, as image paths. */
  env: Readonly<Record<string, string>>;
  bash: string | undefined;
  signal?: AbortSignal | undefined;
}

export interface Profile {
  /** Variables that the scripts set, with the image's paths. */
  env: Record<string, string>;
  findings: ImageFinding[];
}

const LIMIT_MS = 60_000;
/** What differs between instances; a variable that follows it cannot be settled at staging. */
const INSTANCES = [
  { PORT: '8080', MEMORY_LIMIT: '256m', CF_INSTANCE_INDEX: '0', INSTANCE_INDEX: '0', INSTANCE_GUID: 'a' },
  { PORT: '8081', MEMORY_LIMIT: '1024m', CF_INSTANCE_INDEX: '1', INSTANCE_INDEX: '1', INSTANCE_GUID: 'b' },
];
/** Variables that belong to the shell, or to who starts the machine. */
const OTHERS_OWN = new Set([
  ...['_', 'SHLVL', 'PWD', 'OLDPWD', 'HOME', 'DEPS_DIR', 'TMPDIR', 'VCAP_APPLICATION'],
  ...Object.keys(INSTANCES[0] ?? {}),
]);

/**
 * Runs the scripts that a container would run before its start command (those of earlier buildpacks, `.profile.d`,
 * `.profile`) now, twice, as two different instances, and gives the variables that they set alike. One that differs is
 * a refusal when the application's own script sets it, else a warning: buildpacks set many that nobody reads.
 * Throws toolchain_missing (no bash), profile_unsuitable (a script fails).
 */
export async function readProfile(options: ProfileOptions): Promise<Profile | undefined> {
  const { appDir, depsDir } = options;
  const supplied =
    depsDir === undefined ? [] : indicesIn(depsDir).flatMap((index) => scriptsIn(join(depsDir, index, 'profile.d')));
  const own = [
    ...scriptsIn(join(appDir, '.profile.d')),
    ...(isFile(join(appDir, '.profile')) ? [join(appDir, '.profile')] : []),
  ];
  if (supplied.length + own.length === 0) return undefined;
  if (options.bash === undefined) {
    throw new UnikError(
      'toolchain_missing',
      'the application has profile scripts, and there is no bash to run them now',
    );
  }
  const before = await runScripts(options.bash, supplied, options);
  const after = own.length === 0 ? before : await runScripts(options.bash, [...supplied, ...own], options);
  const findings = [
    ...differing(before, 'warning', 'a buildpack'),
    ...differing(after, 'refused', 'the application').filter(({ symbol }) => isStable(before, symbol ?? '')),
  ];
  const [first = {}] = after;
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(first)) {
    if (OTHERS_OWN.has(name) || !isStable(after, name)) continue;
    const settled = inImage(value, options);
    if (settled !== options.env[name]) env[name] = settled;
  }
  return { env, findings };
}

type Environments = Record<string, string>[];

async function runScripts(bash: string, scripts: readonly string[], options: ProfileOptions): Promise<Environments> {
  const environments: Environments = [];
  for (const instance of INSTANCES) {
    const { stdout } = await run(bash, ['--noprofile', '--norc', '-c', READ, 'bash', ...scripts], {
      cwd: options.appDir,
      env: {
        ...Object.fromEntries(Object.entries(options.env).map(([name, value]) => [name, onHost(value, options)])),
        ...instance,
        HOME: options.appDir,
        ...(options.depsDir === undefined ? {} : { DEPS_DIR: options.depsDir }),
        VCAP_APPLICATION: JSON.stringify({
          instance_index: Number(instance.INSTANCE_INDEX),
          limits: { mem: parseInt(instance.MEMORY_LIMIT) },
        }),
      },
      timeout_ms: LIMIT_MS,
      signal: options.signal,
      code: 'profile_unsuitable',
    });
    environments.push(parse(stdout.slice(stdout.lastIndexOf(MARK) + MARK.length)));
  }
  return environments;
}

const MARK = '@@environment@@';
/** The scripts' own output goes where errors go; then all exported variables, apart by zero bytes. */
const READ = `for script in "$@"; do . "$script" >&2; done; printf '%s' '${MARK}'; env -0`;

function parse(text: string): Record<string, string> {
  return Object.fromEntries(
    text
      .split('\0')
      .filter((one) => one.includes('='))
      .map((one) => [one.slice(0, one.indexOf('=')), one.slice(one.indexOf('=') + 1)]),
  );
}

function differing(environments: Environments, level: 'warning' | 'refused', whose: string): ImageFinding[] {
  const names = new Set(environments.flatMap((one) => Object.keys(one)));
  return [...names]
    .filter((name) => !OTHERS_OWN.has(name) && !isStable(environments, name))
    .sort()
    .map((name) => ({
      level,
      code: 'profile_unsuitable',
      message: `a profile script of ${whose} sets ${name} differently for each instance`,
      symbol: name,
      remedy: 'Compute it in the program: there is no shell in the machine to run the script at start.',
    }));
}

function isStable(environments: Environments, name: string): boolean {
  return environments.every((one) => one[name] === environments[0]?.[name]);
}

function inImage(value: string, { appDir, depsDir }: ProfileOptions): string {
  const text = depsDir === undefined ? value : value.replaceAll(depsDir, DEPS_DIR);
  return text.replaceAll(appDir, APP_DIR);
}

function onHost(value: string, { depsDir }: ProfileOptions): string {
  return depsDir === undefined ? value : value.replaceAll(DEPS_DIR, depsDir);
}

/** Names of the folders that buildpacks have there, in the buildpacks' order. */
export function indicesIn(depsDir: string): string[] {
  return readdirSync(depsDir)
    .filter((name) => /^\d+$/.test(name))
    .sort((a, b) => Number(a) - Number(b));
}

function scriptsIn(folder: string): string[] {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.sh'))
    .sort()
    .map((name) => join(folder, name));
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
