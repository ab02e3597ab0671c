import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { UnikError } from '../../../core/errors.js';
import { identify, kill, type ProcessIdentity } from '../../../core/process.js';
import type { MachineFolder } from './record.js';

/** Names in the machine's folder, beside QEMU's own. */
export const LAUNCH_FILES = {
  /** An nftables ruleset, and lines for `ip -batch` before and after the uplink is there. */
  nft: 'net.nft',
  ip: 'net.ip',
  uplink: 'uplink.ip',
  /** A pipe that QEMU holds open. */
  life: 'life',
  log: 'qemu.log',
} as const;

/**
 * `root`: we may switch accounts, so QEMU gets its own. `user`: it stays ours.
 * `namespace`: a network of its own; without root inside a user namespace as well.
 */
export interface LaunchOptions {
  folder: MachineFolder;
  root: boolean;
  uid: number;
  namespace: boolean;
  /** The namespace is to be wired: LAUNCH_FILES nft, ip and uplink are there. */
  network: boolean;
  /** Bytes that QEMU may have in one file. */
  file_bytes: number;
  /** Those of which QEMU's account needs a node of its own. */
  devices: readonly Device[];
  program: string;
  args: readonly string[];
  /** A file in the folder that its standard output is appended to; absent: the log. */
  output?: string;
  path: string;
}

export type Device = 'tun' | 'kvm';

/** A process that is in its namespaces, waits, and has the pid that QEMU will have. */
export interface Launched {
  who: ProcessIdentity;
  /** What it exits with, or the signal that ended it. */
  status: Promise<number | NodeJS.Signals>;
  /** Lets it become QEMU. */
  go(): void;
}

/**
 * Runs as root (of a namespace, for an ordinary user) in QEMU's folder. What it makes before it waits is in its own
 * namespaces and ends with it: if we die before we have noted its pid, it reads an end of file in place of `go` and is
 * gone. `life` is held open until QEMU ends, whatever ends it.
 */
const SCRIPT = `
set -e
if [ -n "$NETWORK" ]; then
  mkfifo -m 600 ../life
  exec 9<>../life
fi
echo ready >&3
exec 3>&-
if [ -n "$DEVICES" ]; then
  mkdir ../dev
  mount -t tmpfs -o mode=755,size=64k unik ../dev
  for device in $DEVICES; do
    case $device in
      tun) node=/dev/net/tun numbers="10 200" ;;
      kvm) node=/dev/kvm numbers="10 232" ;;
    esac
    mknod -m 600 ../dev/$device c $numbers
    chown "$OWNER" ../dev/$device
    mount --bind ../dev/$device $node
  done
fi
if [ -n "$NETWORK" ]; then
  nft -f ../net.nft
  ip -batch ../net.ip
  echo 1 >/proc/sys/net/ipv4/ip_forward
fi
read -r go
if [ -n "$NETWORK" ]; then
  ip -batch ../uplink.ip
fi
if [ -n "$OUTPUT" ]; then
  exec >>"$OUTPUT"
fi
trap '' XFSZ
# In blocks of 512 bytes; only the soft one, which is raised as the console is read.
ulimit -S -f "$BLOCKS"
ulimit -c 0
unset DEVICES OWNER NETWORK OUTPUT BLOCKS
exec "$@" </dev/null
`;

export async function launch(options: LaunchOptions): Promise<Launched> {
  const { folder, root, uid } = options;
  const log = await open(join(folder.path, LAUNCH_FILES.log), 'a', 0o600);
  const [file = '', ...args] = [...namespaces(options), 'sh', '-c', SCRIPT, 'sh', ...privileges(options)];
  const child = spawn(file, [...args, options.program, ...options.args], {
    cwd: folder.vm,
    detached: true,
    env: {
      PATH: options.path,
      LC_ALL: 'C',
      DEVICES: root ? options.devices.join(' ') : '',
      OWNER: String(uid),
      NETWORK: options.network ? 'yes' : '',
      BLOCKS: String(Math.ceil(options.file_bytes / 512)),
      OUTPUT: options.output ?? '',
    },
    stdio: ['pipe', log.fd, log.fd, 'pipe'],
  });
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ?? code ?? 0));
  });
  try {
    await once(child, 'spawn');
  } catch (err) {
    throw new UnikError('provider_unavailable', `cannot run ${file}`, { cause: err });
  } finally {
    await log.close();
  }
  // It may end before it reads our word: its identity tells.
  child.stdin?.on('error', () => undefined);
  const ready = child.stdio[3] as Readable;
  const said = await firstLine(ready);
  const who = child.pid === undefined ? undefined : await identify(child.pid);
  if (said !== 'ready' || !who) {
    if (who) await kill(who, 'SIGKILL');
    await ended;
    const words = await launchLog(folder);
    throw new UnikError('provider_unavailable', `${file} could not prepare the machine's namespaces: ${words}`);
  }
  child.unref();
  return { who, status: ended, go: () => child.stdin?.end('go\n') };
}

/** The last lines that launcher and QEMU wrote; none once the folder is gone. */
export async function launchLog(folder: MachineFolder): Promise<string> {
  const text = await readFile(join(folder.path, LAUNCH_FILES.log), 'utf8').catch(() => '');
  return text.trim().split('\n').slice(-5).join('\n');
}

/** Each program on the way to QEMU costs a start 2 ms: none where there is nothing for it to do. */
function namespaces({ root, namespace, devices }: LaunchOptions): string[] {
  const mounts = root && devices.length > 0 ? ['--mount', '--propagation', 'slave'] : [];
  const net = namespace ? [...(root ? [] : ['--user', '--map-root-user']), '--net'] : [];
  return mounts.length + net.length > 0 ? ['unshare', ...mounts, ...net] : [];
}

function privileges({ root, namespace, uid }: LaunchOptions): string[] {
  const account = root ? ['--reuid', String(uid), '--regid', String(uid), '--clear-groups'] : [];
  const capabilities = root || namespace ? ['--bounding-set=-all', '--inh-caps=-all'] : [];
  return ['setpriv', ...account, ...capabilities, '--no-new-privs'];
}

async function firstLine(stream: Readable): Promise<string | undefined> {
  for await (const line of createInterface({ input: stream })) return line;
  return undefined;
}
