import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { constants, openSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { messageOf, UnikError } from '../../core/errors.js';
import { identify, kill, run, type ProcessIdentity } from '../../core/process.js';
import { FD, STAGE } from './bwrap-args.js';
import type { SandboxLimits } from './sandbox.js';

export interface LaunchOptions {
  /** True: we may switch accounts, and the job gets `uid`. False: it stays ours, in a user namespace. */
  root: boolean;
  uid: number;
  /** The job's own folder of records; `stage` in it is mounted on, out of the host's sight. */
  stage: string;
  /** What is bound to the stage, in order. */
  hosts: readonly string[];
  /** A network namespace under these nftables rules; undefined: bubblewrap makes an empty one. */
  rules?: string;
  /** Files that bubblewrap reads: the filter of system calls, and its arguments. */
  seccomp: string;
  args: string;
  /** Where the pipes for what the job writes are made. */
  pipes: { out: string; err: string };
  argv: readonly string[];
  limits: SandboxLimits;
  /** What no count but that of the kernel's own accounts holds: the kernel counts per account and namespace. */
  caps: { nproc?: number; data_bytes?: number };
  path: string;
  /** What is written, from the first byte: before the job begins it is a reason why it does not. */
  output: (stream: 'out' | 'err', bytes: Uint8Array) => void;
}

export interface Launched {
  /** The process that waits, and becomes bubblewrap. */
  who: ProcessIdentity;
  /** Lets it. Resolves with the pid of the sandbox's first process. Throws sandbox_unavailable. */
  go(): Promise<number>;
  /** Of bubblewrap, when nobody holds its output any more. */
  ended: Promise<LaunchEnd>;
}

export interface LaunchEnd {
  /** Exit status of the job; undefined when it never began, or did not come to its end. */
  code?: number;
  /** What ended bubblewrap itself. */
  signal?: string;
  /** The last lines on standard error. */
  words: string;
}

/**
 * Runs as root (of a namespace, for an ordinary user). An ordinary account could not reach folders below a closed
 * home, so they are bound where it can. All is in namespaces that end with this process; when we die before `go`,
 * it reads an end of file and is gone. Files that we inherited open are none of the job's business.
 * Its standard input is a socket, with which bash believes in a remote login and its settings: hence `--norc`.
 */
const SCRIPT = `
set -e
for fd in /proc/self/fd/*; do
  fd=\${fd##*/}
  if [ "$fd" -gt 5 ]; then eval "exec $fd>&-"; fi
done
mount -t tmpfs -o mode=755,size=1m unik "$STAGED"
n=0
while [ "$1" != -- ]; do
  if [ -d "$1" ]; then mkdir "$STAGED/$n"; else : >"$STAGED/$n"; fi
  mount --rbind "$1" "$STAGED/$n"
  n=$((n + 1))
  shift
done
shift
if [ -n "$RULES" ]; then
  ip link set lo up
  echo "$RULES" | nft -f -
fi
mount --rbind "$STAGED" "$STAGE"
cd /
unset STAGED STAGE RULES
echo ready >&3
read -r go
exec "$@" </dev/null
`;

const READY_MS = 15_000;

/** Prepares namespaces and waits in them. Throws sandbox_unavailable with the reason. */
export async function launch(options: LaunchOptions): Promise<Launched> {
  const [file, ...rest] = [...namespaces(options), 'bash', '--norc', '-c', SCRIPT, 'bash', ...options.hosts, '--'];
  const inner = [...privileges(options), 'bwrap', '--args', String(FD.args), '--', ...options.argv];
  const [out, err] = [await makePipe(options.pipes.out, options.path), await makePipe(options.pipes.err, options.path)];
  const seccomp = await open(options.seccomp, 'r');
  const args = await open(options.args, 'r');
  let child: ChildProcess;
  try {
    child = spawn(file, [...rest, ...inner], {
      cwd: '/',
      env: { PATH: options.path, LC_ALL: 'C', STAGED: options.stage, STAGE, RULES: options.rules ?? '' },
      // A process group of its own: a Ctrl-C at our terminal is ours to act on.
      detached: true,
      stdio: ['pipe', out.write.fd, err.write.fd, 'pipe', seccomp.fd, args.fd],
    });
    await once(child, 'spawn');
  } catch (cause) {
    out.read.destroy();
    err.read.destroy();
    throw new UnikError('sandbox_unavailable', `cannot run ${file}: ${messageOf(cause)}`, { cause });
  } finally {
    for (const handle of [seccomp, args, out.write, err.write]) await handle.close();
  }
  // It may end before it reads our word: its status tells.
  child.stdin?.on('error', () => undefined);
  const words = lastWords();
  out.read.on('data', (bytes: Buffer) => options.output('out', bytes));
  err.read.on('data', (bytes: Buffer) => {
    words.hear(bytes);
    options.output('err', bytes);
  });
  // What cannot be read is closed, and that is what is waited for.
  for (const { read } of [out, err]) read.on('error', () => undefined);
  const status = readStatus(child.stdio[FD.status] as Readable);
  const all = [once(child, 'close'), once(out.read, 'close'), once(err.read, 'close')];
  const ended = Promise.all(all).then(([closed]): LaunchEnd => {
    const signal: unknown = closed?.[1];
    const { code } = status;
    const by = typeof signal === 'string' ? { signal } : {};
    return { ...(code === undefined ? {} : { code }), ...by, words: words.said() };
  });
  const who = child.pid === undefined ? undefined : await identify(child.pid);
  const fail = async (what: string): Promise<never> => {
    if (who) await kill(who, 'SIGKILL');
    await ended;
    throw new UnikError('sandbox_unavailable', `${what}: ${words.said() || 'it ended without a word'}`);
  };
  if (!(await soon(status.ready)) || !who) return fail('the namespaces of the sandbox could not be made');
  return {
    who,
    ended,
    async go() {
      child.stdin?.end('go\n');
      return (await soon(status.first)) ?? fail('bubblewrap could not confine the job');
    },
  };
}

/**
 * A pipe with a name, for as long as it takes. What Node gives a child is a socket, on which a program can neither open
 * /dev/stdout nor be kept from passing files to and fro. Writable to all, since the folder is closed: a program may open it again.
 */
async function makePipe(at: string, path: string): Promise<{ read: Socket; write: FileHandle }> {
  await run('mkfifo', ['-m', '622', at], { code: 'sandbox_unavailable', env: { PATH: path } });
  const reader = openSync(at, constants.O_RDONLY | constants.O_NONBLOCK);
  const write = await open(at, constants.O_WRONLY);
  return { read: new Socket({ fd: reader, readable: true, writable: false }), write };
}

interface Status {
  /** The launcher waits. */
  ready: Promise<true | undefined>;
  /** The pid of the sandbox's first process. */
  first: Promise<number | undefined>;
  /** Known once the job has ended. */
  code: number | undefined;
}

/** Our script's word, then bubblewrap's reports: `{"child-pid": N}`, and `{"exit-code": N}` of a job that began. */
function readStatus(stream: Readable): Status {
  let isReady: (value: true | undefined) => void = () => undefined;
  let isFirst: (value: number | undefined) => void = () => undefined;
  const status: Status = {
    ready: new Promise((resolve) => (isReady = resolve)),
    first: new Promise((resolve) => (isFirst = resolve)),
    code: undefined,
  };
  const lines = createInterface({ input: stream });
  lines.on('line', (line) => {
    if (line === 'ready') isReady(true);
    if (!line.startsWith('{')) return;
    const report = JSON.parse(line) as { 'child-pid'?: number; 'exit-code'?: number };
    if (report['child-pid'] !== undefined) isFirst(report['child-pid']);
    status.code ??= report['exit-code'];
  });
  lines.on('close', () => {
    isReady(undefined);
    isFirst(undefined);
  });
  return status;
}

async function soon<T>(value: Promise<T>): Promise<T | undefined> {
  const late = new AbortController();
  const timeout = setTimeout(READY_MS, undefined, { signal: late.signal }).catch(() => undefined);
  try {
    return await Promise.race([value, timeout]);
  } finally {
    late.abort();
  }
}

function lastWords(): { hear(bytes: Buffer): void; said(): string } {
  let text = '';
  return {
    hear: (bytes) => void (text = (text + bytes.toString('utf8')).slice(-2_000)),
    said: () => text.trim().split('\n').slice(-3).join('; '),
  };
}

function namespaces({ root, rules }: LaunchOptions): string[] {
  const mine = root ? [] : ['--user', '--map-root-user'];
  return ['unshare', ...mine, '--mount', '--propagation', 'private', ...(rules === undefined ? [] : ['--net'])];
}

function privileges({ root, uid, limits, caps }: LaunchOptions): string[] {
  const account = root ? ['--reuid', String(uid), '--regid', String(uid), '--clear-groups'] : [];
  // Who is root of a namespace may map that account into the next one only with this capability (Linux 5.12).
  const needed = root ? '' : ',+setfcap';
  return [
    // Machines go first, and a host out of memory takes it from here.
    ...['nice', '-n', '10', 'choom', '-n', '1000', '--'],
    'prlimit',
    '--core=0',
    `--nofile=${limits.nofile}`,
    `--fsize=${limits.disk_mb * 1024 * 1024}`,
    ...(caps.nproc === undefined ? [] : [`--nproc=${caps.nproc}`]),
    ...(caps.data_bytes === undefined ? [] : [`--data=${caps.data_bytes}`]),
    ...['setpriv', ...account, `--bounding-set=-all${needed}`, '--inh-caps=-all', '--no-new-privs'],
  ];
}
