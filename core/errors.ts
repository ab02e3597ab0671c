/**
 * One closed table of error codes. The same code appears in REST replies, CLI output, staging failures, crash
 * reasons and logs. `owner` says who can mend it, `http` is the REST status, `hint` says what to do.
 */
export interface ErrorEntry {
  readonly owner: 'user' | 'operator' | 'platform';
  readonly http: number;
  readonly hint: string;
}

export const ERRORS = {
  usage: { owner: 'user', http: 400, hint: 'See `unik COMMAND --help`.' },
  bad_request: { owner: 'user', http: 400, hint: 'Correct the named field and send the request again.' },
  not_found: { owner: 'user', http: 404, hint: 'List what exists with `unik ps -a` or `unik images`.' },
  name_in_use: { owner: 'user', http: 409, hint: 'Choose another --name, or remove the other one with `unik rm`.' },
  name_ambiguous: { owner: 'user', http: 409, hint: 'Give more characters of the id, or the full name.' },
  bad_reply: { owner: 'platform', http: 502, hint: 'Check that the named server is the one meant, and its version.' },
  peer_unreachable: {
    owner: 'platform',
    http: 502,
    hint: 'Check that the named server runs, its address and its certificates.',
  },
  download_failed: {
    owner: 'platform',
    http: 502,
    hint: 'Check that the cell reaches the named address, and the size and checksum of what lies there.',
  },
  upload_failed: { owner: 'platform', http: 502, hint: 'Check that the cell reaches the named address.' },
  archive_too_large: {
    owner: 'user',
    http: 422,
    hint: 'Send fewer or smaller files (a .cfignore leaves some out), or raise the disk limit.',
  },
  archive_invalid: { owner: 'user', http: 422, hint: 'Give a tar, tar.gz or zip archive whose names stay inside it.' },
  definition_unsupported: {
    owner: 'user',
    http: 422,
    hint: 'A unikernel runs one program from a staged droplet: make what runs beside it an application of its own.',
  },
  conflict: { owner: 'user', http: 409, hint: 'Stop it first, or repeat with --force.' },
  config_invalid: { owner: 'operator', http: 500, hint: 'Correct the file; docs/operating.md lists every key.' },

  source_missing: { owner: 'user', http: 400, hint: 'Give the path of an existing application folder.' },
  source_empty: { owner: 'user', http: 400, hint: 'Put the application into the folder first.' },
  source_unreadable: { owner: 'user', http: 400, hint: 'Check the permissions of the named file.' },
  language_unknown: {
    owner: 'user',
    http: 422,
    hint: 'Add index.html, package.json, requirements.txt, go.mod, a runnable .jar, an ELF binary or a Procfile.',
  },
  procfile_invalid: { owner: 'user', http: 422, hint: 'Each line is `TYPE: COMMAND`, for example `web: ./server`.' },
  command_needs_shell: {
    owner: 'user',
    http: 422,
    hint: 'A unikernel runs one program: name the program and its arguments without pipes, `&&`, redirections or globs.',
  },
  command_missing: {
    owner: 'user',
    http: 422,
    hint: 'Add a Procfile with `web: PROGRAM ARGS`, or a "start" script to package.json.',
  },
  web_missing: { owner: 'user', http: 422, hint: 'Add a line `web: PROGRAM ARGS` to the Procfile.' },
  several_programs: {
    owner: 'user',
    http: 422,
    hint: 'Give each program a process type of its own: one line of the Procfile each.',
  },
  fork_unsupported: {
    owner: 'user',
    http: 422,
    hint: 'Use a server that is one process with threads, or set UNIK_GUEST=linux.',
  },
  not_position_independent: {
    owner: 'user',
    http: 422,
    hint: 'Build it position-independent (-pie; Go: -buildmode=pie), or set UNIK_GUEST=linux.',
  },
  main_class_missing: {
    owner: 'user',
    http: 422,
    hint: 'Give the jar a Main-Class in its manifest, or a Procfile with `web: java -cp JAR CLASS`.',
  },
  profile_unsuitable: {
    owner: 'user',
    http: 422,
    hint: 'Compute it in the program: there is no shell in the machine to run profile scripts at start.',
  },
  stack_unsuitable: {
    owner: 'user',
    http: 422,
    hint: 'Push with `-s unik`, or run `cf enable-unik APP`; container stacks need another buildpack.',
  },
  app_missing: { owner: 'user', http: 404, hint: 'List the apps of the space with `cf apps`.' },
  target_missing: {
    owner: 'user',
    http: 401,
    hint: 'Use `cf login`, then `cf target -o ORG -s SPACE`.',
  },
  cf_refused: { owner: 'user', http: 422, hint: "The text above is the platform's own; `cf events APP` may say more." },
  stack_missing: {
    owner: 'operator',
    http: 422,
    hint: 'List the stacks with `cf stacks`; an operator adds unikernel cells and their stack.',
  },
  lifecycle_unsuitable: { owner: 'user', http: 422, hint: 'Push the files of the app instead: `cf push APP -p DIR`.' },
  endpoint_refused: {
    owner: 'operator',
    http: 403,
    hint: 'The operator lists the endpoints of a stack in its annotation `unik-endpoints`; leave ENDPOINT out to take the default.',
  },
  buildpack_missing: {
    owner: 'user',
    http: 422,
    hint: 'List the buildpacks with `cf buildpacks`, or correct its URL.',
  },
  buildpack_failed: { owner: 'user', http: 422, hint: 'The lines above come from the buildpack and name the cause.' },
  no_app_detected: {
    owner: 'user',
    http: 422,
    hint: 'Name the buildpack with -b, and check that the stack is the one meant.',
  },
  shipped_missing: { owner: 'operator', http: 503, hint: 'Run `npm start`, which packs it; then `unik up` works too.' },
  program_missing: { owner: 'user', http: 422, hint: 'Build the program first, or correct the path in the Procfile.' },
  library_missing: {
    owner: 'user',
    http: 422,
    hint: 'Install the package that has this library, or link it statically.',
  },
  arch_mismatch: { owner: 'user', http: 422, hint: 'Build the program for the architecture of the machine.' },
  runtime_missing: {
    owner: 'user',
    http: 422,
    hint: 'Push it to another stack, or bring what needs no runtime: Go, static files, a program built for that processor.',
  },
  toolchain_missing: { owner: 'operator', http: 422, hint: 'Install the named tool, or ship the app already built.' },
  toolchain_failed: { owner: 'user', http: 422, hint: 'The lines above come from the build tool and name the cause.' },
  disk_full: { owner: 'operator', http: 507, hint: 'Free space under $UNIK_HOME: `unik rmi`, `unik gc`.' },

  image_missing: {
    owner: 'user',
    http: 404,
    hint: 'Build it with `unik build DIR -t NAME`; list images with `unik images`.',
  },
  image_truncated: { owner: 'operator', http: 422, hint: 'Remove it with `unik rmi --force` and build the app again.' },
  image_digest_mismatch: {
    owner: 'operator',
    http: 422,
    hint: 'Remove it with `unik rmi --force` and build the app again.',
  },
  image_invalid: { owner: 'user', http: 422, hint: 'Build the image again with this version of unik.' },
  image_in_use: { owner: 'user', http: 409, hint: 'Remove the instances that use it, or repeat with --force.' },
  kernel_missing: {
    owner: 'operator',
    http: 422,
    hint: 'Import one with `unik kernel import`, or run `npm start` once.',
  },
  kernel_invalid: {
    owner: 'operator',
    http: 422,
    hint: 'Give a folder made by unpacking the distribution kernel package, or a kernel and its --guest.',
  },
  kernel_in_use: { owner: 'operator', http: 409, hint: 'Remove the instances that use it first.' },
  kernel_limit: {
    owner: 'operator',
    http: 422,
    hint: 'Import a kernel without that limit and look at it with `unik kernel verify`, or use UNIK_GUEST=linux.',
  },
  environment_too_large: {
    owner: 'user',
    http: 422,
    hint: 'Bind fewer services or set fewer variables, or use UNIK_GUEST=linux, which takes any number.',
  },
  guest_unsupported: { owner: 'user', http: 422, hint: 'List the guests and what they run on with `unik guests`.' },

  insufficient_memory: { owner: 'platform', http: 503, hint: 'Ask for less with -m, or stop other machines.' },
  insufficient_disk: {
    owner: 'platform',
    http: 503,
    hint: 'Ask for less with --disk, or free space under $UNIK_HOME.',
  },
  insufficient_machines: { owner: 'platform', http: 503, hint: 'Stop other machines, or raise max_machines.' },
  port_taken: { owner: 'user', http: 409, hint: 'Choose another host port with -p HOST:GUEST.' },
  provider_unavailable: { owner: 'operator', http: 503, hint: 'Run `unik doctor` to see which probe failed.' },
  provider_unknown: { owner: 'user', http: 422, hint: 'List the providers with `unik provider ls`.' },
  network_unavailable: { owner: 'operator', http: 503, hint: 'Run `unik doctor`; `--network user` needs no root.' },
  staging_limit: {
    owner: 'user',
    http: 422,
    hint: 'Let the build need less, or have the limits of staging raised.',
  },
  sandbox_unavailable: {
    owner: 'operator',
    http: 503,
    hint: 'Run `unik doctor`: staging needs bubblewrap, slirp4netns and user namespaces, and never runs without.',
  },
  machine_failed: { owner: 'platform', http: 502, hint: 'See `unik logs` for the last lines of its console.' },
  start_timeout: { owner: 'user', http: 504, hint: 'See `unik logs`; raise --health-start-period if it needs longer.' },
  timeout: { owner: 'platform', http: 504, hint: 'Try again; `unik events` shows what the daemon is doing.' },

  cell_unreachable: {
    owner: 'operator',
    http: 503,
    hint: 'Look at the end of its log; `unik cell prepare --config FILE` says whether machines can run on this host.',
  },
  daemon_unreachable: {
    owner: 'user',
    http: 503,
    hint: 'Start it with `unik daemon` (or `npm start`), or set --host.',
  },
  daemon_running: {
    owner: 'user',
    http: 409,
    hint: 'Stop the other daemon with `unik down`, or choose another $UNIK_HOME.',
  },
  unauthorized: { owner: 'user', http: 401, hint: 'Give the token that the operator set: UNIK_TOKEN.' },
  not_supported: { owner: 'user', http: 501, hint: 'This provider does not offer that; see `unik provider ls`.' },
  internal: {
    owner: 'platform',
    http: 500,
    hint: 'This is a defect in unik: report it with the output of `unik doctor --json`.',
  },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;

/** Every failure a caller may see: what failed in `message`, which entry of the table in `code`. */
export class UnikError extends Error {
  override readonly name = 'UnikError';
  constructor(
    readonly code: ErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
  get hint(): string {
    return ERRORS[this.code].hint;
  }
  get http(): number {
    return ERRORS[this.code].http;
  }
}

/** Wraps anything thrown, once, at a boundary. A UnikError passes unchanged; ENOSPC becomes `disk_full`. */
export function toUnikError(err: unknown, fallback: ErrorCode = 'internal'): UnikError {
  if (err instanceof UnikError) return err;
  if (hasCode(err, 'ENOSPC') || hasCode(err, 'EDQUOT')) {
    return new UnikError('disk_full', `no space left on the device: ${messageOf(err)}`, { cause: err });
  }
  return new UnikError(fallback, messageOf(err), { cause: err });
}

/** The error that a reply or a message of ours tells of: `{code, message}` with a code of the table. */
export function readError(value: unknown): UnikError | undefined {
  if (typeof value !== 'object' || value === null || !('code' in value) || !('message' in value)) return undefined;
  const { code, message } = value;
  if (typeof code !== 'string' || typeof message !== 'string' || !Object.hasOwn(ERRORS, code)) return undefined;
  return new UnikError(code as ErrorCode, message);
}

export function messageOf(err: unknown): string {
  return isErrorLike(err) ? err.message : String(err);
}

/** True for a Node system error with this errno name, such as `ENOENT`. */
export function hasCode(err: unknown, code: string): boolean {
  return isErrorLike(err) && 'code' in err && err.code === code;
}

/** Not `instanceof`: an error of another realm (a worker, a test's sandbox) is one all the same. */
function isErrorLike(err: unknown): err is { message: string } {
  return typeof err === 'object' && err !== null && 'message' in err && typeof err.message === 'string';
}
